// SPDX-License-Identifier: Apache-2.0
#include "base/pages.h"

#include <sys/mman.h>

namespace onlink {
namespace {

constexpr std::size_t worth_a_mapping = 64u << 10;

}  // namespace

void* allocate_pages(std::size_t bytes) {
  if (bytes < worth_a_mapping) return ::operator new(bytes);
  void* const memory =
      ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
  if (memory == MAP_FAILED) throw std::bad_alloc();
  return memory;
}

void free_pages(void* memory, std::size_t bytes) noexcept {
  if (bytes < worth_a_mapping)
    ::operator delete(memory);
  else
    (void)::munmap(memory, bytes);
}

}  // namespace onlink
