// SPDX-License-Identifier: Apache-2.0
// resolv.conf(5) as the dns of a result.
#pragma once

#include <string>

#include "cni/result.h"

namespace onlink::ipam {

// Lines without a value, comments and unknown words are skipped. Throws Failure where the file cannot be
// read.
cni::Dns read_resolv_conf(const std::string& path);

}  // namespace onlink::ipam
