/* SPDX-License-Identifier: Apache-2.0 */
/*
 * buildinfo.h - which Go built this, and how.
 *
 * Source: debug/buildinfo (inline strings since Go 1.18): magic "\xff Go buildinf:", 16-aligned in writable data.
 * Binaries without build info (some bundlers) are searched for a `goN.M.P` string that runtime.buildVersion's
 * initialiser points to, or that stands alone in read-only data; `guessed` says so.
 */
#ifndef TARGET_BUILDINFO_H
#define TARGET_BUILDINFO_H

#include "target/image.h"

struct go_version {
	int major, minor, patch;  /* 1, 26, 8. An rc or devel build: patch 0 */
	char text[64];            /* "go1.26.8 X:..." as found, printable ASCII only */
	bool is_custom;           /* devel, rc, X:experiments or a vendor suffix */
};

struct buildinfo {
	struct go_version version;
	bool guessed;             /* no build info block: the version comes from a string */
	bool is_race, is_cgo;
	char build_mode[32];      /* "exe", "pie", "c-shared", ... or "" */
	char path[256];           /* main package, "" if unknown */
	char experiment[128];     /* GOEXPERIMENT, "" if none */
	char vcs_revision[64];
};

/* -ENOENT: no trace of Go's version in it. */
int buildinfo_read(const struct image *im, struct buildinfo *ret, struct why *why);
/* Can it be traced? -ENOTSUP when it is too old, or no executable (c-shared, plugin...). */
int buildinfo_check(const struct buildinfo *b, struct why *why);
/* Parses "go1.26.8", "go1.27rc1", "go1.22.3 X:foo", "devel go1.28-abc". -EINVAL when it is none of these. */
int go_version_parse(const char *s, struct go_version *ret);
/* <0, 0, >0 like strcmp, by (major, minor, patch). */
int go_version_cmp(const struct go_version *a, int major, int minor, int patch);

#endif
