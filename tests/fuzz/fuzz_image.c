/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_image.c - any bytes as an executable. The seeds are made by seeds/image.py: all that gotrace looks for, in 2 KiB. */
#include "target.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	look_at_target(file_of(data, n), 256);
	return 0;
}
