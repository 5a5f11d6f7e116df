// SPDX-License-Identifier: Apache-2.0
// Memory for large arrays of plain data in programs that live for a millisecond.
#pragma once

#include <cstddef>
#include <new>
#include <utility>

namespace onlink {

// Memory whose pages are all present (mmap(2), MAP_POPULATE): one system call instead of a page fault for
// every 4 KiB. Less than 64 KiB comes from operator new. Throws std::bad_alloc.
void* allocate_pages(std::size_t bytes);
void free_pages(void* memory, std::size_t bytes) noexcept;

// The allocator of a std::vector<T> in such memory. resize() does not initialize new elements: they are about
// to be read from a file, and would be written twice.
template <class T>
struct Pages {
  using value_type = T;

  T* allocate(std::size_t count) { return static_cast<T*>(allocate_pages(count * sizeof(T))); }
  void deallocate(T* memory, std::size_t count) noexcept { free_pages(memory, count * sizeof(T)); }
  void construct(T* place) { ::new (static_cast<void*>(place)) T; }
  template <class... Values>
  void construct(T* place, Values&&... values) {
    ::new (static_cast<void*>(place)) T{std::forward<Values>(values)...};
  }
  bool operator==(const Pages&) const { return true; }
};

}  // namespace onlink
