/* SPDX-License-Identifier: Apache-2.0 */
/*
 * buildinfo.c - see buildinfo.h.
 *
 * The block is written by cmd/link/internal/ld/data.go: buildinfo and read by debug/buildinfo (readRawBuildInfo):
 * 14 bytes of magic, pointer size, flags, 16 unused bytes, then version and module info, each with a varint length.
 */
#include "target/buildinfo.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>

enum {
	BLOCK_ALIGN = 16, BLOCK_HEADER = 32, FLAG_INLINE_STRINGS = 2,
	MODINFO_FRAME = 16, /* cmd/go: modload.infoStart, infoEnd */
	MIN_MINOR = 18,     /* the function table as pclntab.c reads it */
};

/* At most three digits; -1 if there is none. */
static int take_number(const char **s)
{
	int n = 0, digits = 0;

	for (; isdigit((unsigned char)**s) && digits < 3; digits++)
		n = n * 10 + *(*s)++ - '0';
	return digits ? n : -1;
}

int go_version_parse(const char *s, struct go_version *ret)
{
	struct go_version v = {0};
	const char *p = s;

	copy_ascii(v.text, sizeof(v.text), s, strlen(s));
	if (!strncmp(p, "devel ", 6)) {
		v.is_custom = true;
		p += 6;
	}
	if (strncmp(p, "go", 2))
		return -EINVAL;
	p += 2;
	v.major = take_number(&p);
	if (v.major < 0 || *p++ != '.')
		return -EINVAL;
	v.minor = take_number(&p);
	if (v.minor < 0)
		return -EINVAL;
	if (*p == '.' && isdigit((unsigned char)p[1])) {
		p++;
		v.patch = take_number(&p);
	}
	v.is_custom |= *p != 0;
	*ret = v;
	return 0;
}

int go_version_cmp(const struct go_version *a, int major, int minor, int patch)
{
	if (a->major != major)
		return a->major < major ? -1 : 1;
	if (a->minor != minor)
		return a->minor < minor ? -1 : 1;
	return a->patch < patch ? -1 : a->patch > patch;
}

/* "build\tkey=value": s is what follows "build\t". */
static void read_setting(struct buildinfo *b, const char *s, size_t n)
{
	const char *equal = memchr(s, '=', n);

	if (!equal)
		return;
	size_t key_len = (size_t)(equal - s), value_len = n - key_len - 1;
	const char *value = equal + 1;
	bool is_true = value_len == 4 && !memcmp(value, "true", 4);
	bool is_one = value_len == 1 && *value == '1';
	const struct { const char *key; bool *flag; bool on; char *text; size_t size; } settings[] = {
		{"-race", &b->is_race, is_true, NULL, 0},
		{"CGO_ENABLED", &b->is_cgo, is_one, NULL, 0},
		{"-buildmode", NULL, false, b->build_mode, sizeof(b->build_mode)},
		{"GOEXPERIMENT", NULL, false, b->experiment, sizeof(b->experiment)},
		{"vcs.revision", NULL, false, b->vcs_revision, sizeof(b->vcs_revision)},
	};

	for (size_t i = 0; i < ARRAY_SIZE(settings); i++) {
		if (strlen(settings[i].key) != key_len || memcmp(settings[i].key, s, key_len))
			continue;
		if (settings[i].flag)
			*settings[i].flag = settings[i].on;
		else
			copy_ascii(settings[i].text, settings[i].size, value, value_len);
	}
}

static void read_modinfo_line(struct buildinfo *b, const char *s, size_t n)
{
	if (n > 5 && !memcmp(s, "path\t", 5))
		copy_ascii(b->path, sizeof(b->path), s + 5, n - 5);
	else if (n > 6 && !memcmp(s, "build\t", 6))
		read_setting(b, s + 6, n - 6);
}

static void read_modinfo(struct buildinfo *b, const char *s, size_t n)
{
	if (n < 2 * MODINFO_FRAME + 1)
		return;
	const char *end = s + n - MODINFO_FRAME;

	for (s += MODINFO_FRAME; s < end;) {
		const char *newline = memchr(s, '\n', (size_t)(end - s));
		size_t len = (size_t)((newline ? newline : end) - s);

		read_modinfo_line(b, s, len);
		s += len + 1;
	}
}

/* "go1.26.8 X:foo" and, since 1.26, "go1.26.8-X:foo" (cmd/link/internal/ld/main.go). */
static void read_experiment(struct buildinfo *b)
{
	const char *x = strstr(b->version.text, "X:");

	if (x && !b->experiment[0])
		copy_ascii(b->experiment, sizeof(b->experiment), x + 2, strlen(x + 2));
}

static int parse_version(const char *s, size_t n, struct go_version *ret)
{
	char text[sizeof(ret->text)];

	copy_ascii(text, sizeof(text), s, n);
	return go_version_parse(text, ret);
}

static bool read_block(const uint8_t *p, size_t n, struct buildinfo *ret)
{
	static const char magic[] = "\xff Go buildinf:";
	struct cursor c = cursor_of(p, n);
	const uint8_t *header = cursor_bytes(&c, BLOCK_HEADER);
	struct buildinfo b = {0};

	if (!header || memcmp(header, magic, 14) || header[14] != 8 ||
	    !(header[15] & FLAG_INLINE_STRINGS))
		return false;
	uint64_t version_len = cursor_varint(&c);
	const char *version = (const char *)cursor_bytes(&c, version_len);

	if (!version || parse_version(version, version_len, &b.version))
		return false;
	uint64_t modinfo_len = cursor_varint(&c);
	const char *modinfo = (const char *)cursor_bytes(&c, modinfo_len);

	if (modinfo)
		read_modinfo(&b, modinfo, modinfo_len);
	read_experiment(&b);
	*ret = b;
	return true;
}

static bool find_block_in(const struct image_segment *s, struct buildinfo *ret)
{
	for (uint64_t at = -s->vaddr & (BLOCK_ALIGN - 1); at < s->file_size; at += BLOCK_ALIGN)
		if (s->data[at] == 0xff && read_block(s->data + at, s->file_size - at, ret))
			return true;
	return false;
}

/* The linker puts it first into writable data; a copy of the magic in other data is not followed by a version. */
static bool find_block(const struct image *im, struct buildinfo *ret)
{
	for (int writable = 1; writable >= 0; writable--)
		for (size_t i = 0; i < im->n_segments; i++)
			if (im->segments[i].writable == writable && find_block_in(&im->segments[i], ret))
				return true;
	return false;
}

/* With a patch number before without (a list of release tags has none), then the newer. */
static bool is_better_guess(const struct go_version *v, const struct go_version *old)
{
	if (!old->major || (v->patch > 0) != (old->patch > 0))
		return !old->major || v->patch > 0;
	return go_version_cmp(v, old->major, old->minor, old->patch) > 0;
}

static bool is_go1(const char *s, size_t n)
{
	return n > 4 && !memcmp(s, "go1.", 4) && isdigit((unsigned char)s[4]);
}

/*
 * A string header {pointer, length} in writable data whose text is a version: the linker initialises
 * runtime.buildVersion so (cmd/link/internal/ld/main.go: addstrdata1).
 */
static void guess_from_headers(const struct image *im, const struct image_segment *s, struct go_version *best)
{
	uint64_t skip = -s->vaddr & 7;

	for (uint64_t at = skip; at < s->file_size && s->file_size - at >= 16; at += 8) {
		struct cursor c = cursor_of(s->data + at, 16);
		uint64_t ptr = cursor_u64(&c), len = cursor_u64(&c);
		struct go_version v;

		if (len < 6 || len >= sizeof(v.text))
			continue;
		const char *text = (const char *)image_at(im, ptr, len);

		if (text && is_go1(text, len) && !parse_version(text, len, &v) && is_better_guess(&v, best))
			*best = v;
	}
}

/* "go1.N.M" anywhere. Go lays strings out one behind the other: what follows the digits is not part of it. */
static void guess_from_text(const struct image_segment *s, struct go_version *best)
{
	const char *p = (const char *)s->data, *end = p + s->file_size;

	while ((p = memmem(p, (size_t)(end - p), "go1.", 4))) {
		size_t n = 4;

		while (p + n < end && n < 12 && (isdigit((unsigned char)p[n]) || p[n] == '.'))
			n++;
		struct go_version v;

		if (is_go1(p, n) && !parse_version(p, n, &v) && v.patch && is_better_guess(&v, best))
			*best = v;
		p += n;
	}
}

static bool guess_version(const struct image *im, struct go_version *ret)
{
	for (size_t i = 0; i < im->n_segments; i++)
		if (im->segments[i].writable)
			guess_from_headers(im, &im->segments[i], ret);
	for (size_t i = 0; i < im->n_segments && !ret->major; i++)
		guess_from_text(&im->segments[i], ret);
	return ret->major;
}

int buildinfo_read(const struct image *im, struct buildinfo *ret, struct why *why)
{
	struct buildinfo b = {0};

	if (!find_block(im, &b)) {
		if (!guess_version(im, &b.version))
			return why_set(why, -ENOENT, "nothing in it tells a Go version: not a Go program, "
				       "or a packed one");
		b.guessed = true;
	}
	*ret = b;
	return 0;
}

int buildinfo_check(const struct buildinfo *b, struct why *why)
{
	static const char *const refused[] = {"c-shared", "c-archive", "plugin", "shared"};

	if (b->version.major != 1 || b->version.minor < MIN_MINOR)
		return why_set(why, -ENOTSUP, "built by %s; Go 1.%d is the oldest that gotrace traces",
			       b->version.text, MIN_MINOR);
	for (size_t i = 0; i < ARRAY_SIZE(refused); i++)
		if (!strcmp(b->build_mode, refused[i]))
			return why_set(why, -ENOTSUP,
				       "built with -buildmode=%s; gotrace traces executables only", b->build_mode);
	return 0;
}
