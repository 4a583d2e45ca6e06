/* SPDX-License-Identifier: Apache-2.0 */
/* replay.c - main of a fuzz target without libFuzzer: runs every file that it is given, once. Exit status 77: cannot. */
#include "fuzz.h"

#pragma weak LLVMFuzzerInitialize

size_t LLVMFuzzerMutate(uint8_t *data, size_t n, size_t max)
{
	return n;
}

int main(int argc, char **argv)
{
	if (LLVMFuzzerInitialize && LLVMFuzzerInitialize(&argc, &argv))
		return 77;
	for (int i = 1; i < argc; i++) {
		struct buf b = {0};

		if (read_file(argv[i], 64 << 20, &b)) {
			fprintf(stderr, "cannot read %s\n", argv[i]);
			return 1;
		}
		/* a copy without a byte behind it */
		CLEANUP(freep) uint8_t *data = xmemdup(b.v, b.n);

		fprintf(stderr, "%s\n", argv[i]);
		LLVMFuzzerTestOneInput(data, b.n);
		buf_free(&b);
	}
	return 0;
}
