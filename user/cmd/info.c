/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/commands.h"
int cmd_info(int argc, char **argv) { return 1; }
