// SPDX-License-Identifier: Apache-2.0
// What every program costs: a static one that does nothing, from fork to exit.
int main(void) { return 0; }
