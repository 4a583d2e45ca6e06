/* SPDX-License-Identifier: Apache-2.0 */
/*
 * features.h - what this kernel and these privileges allow, each found out by trying it.
 */
#ifndef CAPTURE_FEATURES_H
#define CAPTURE_FEATURES_H

#include "base/base.h"

struct feature {
	const char *name;
	const char *since;     /* the kernel that brought it */
	const char *fix;       /* what to do when it is missing */
	bool is_needed;        /* gotrace does not work without it */
	int (*probe)(char detail[128]); /* 1 there, 0 not; the detail tells what was seen */
};

extern const struct feature features[];
extern const size_t n_features;

#endif
