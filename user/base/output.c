/* SPDX-License-Identifier: Apache-2.0 */
/* output.c - see output.h. */
#include "base/output.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static bool is_in_public_directory(const char *path)
{
	CLEANUP(freep) char *copy = xstrdup(path);
	struct stat st;

	return !stat(dirname(copy), &st) && (st.st_mode & S_IWOTH);
}

static int refuse(const char *path, const char *what, struct why *why)
{
	return why_set(why, -EACCES,
		       "%s is %s in a directory that everybody may write to: refusing to write to it. "
		       "Remove it, or write to another directory", path, what);
}

static int standard_output(struct why *why)
{
	if ((fcntl(STDOUT_FILENO, F_GETFL) & O_ACCMODE) == O_RDONLY)
		return why_set(why, -EBADF, "the standard output is closed");
	if (isatty(STDOUT_FILENO))
		return why_set(why, -EINVAL, "the standard output is a terminal, which a trace would garble: "
			       "-o FILE, or a pipe");
	return fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
}

int output_open(const char *path, struct why *why)
{
	int flags = O_WRONLY | O_CREAT | O_CLOEXEC;
	bool is_public = is_in_public_directory(path);
	struct stat st;

	if (!strcmp(path, "-"))
		return standard_output(why);
	int fd = open(path, flags | (is_public ? O_NOFOLLOW : 0), 0600);

	if (fd < 0 && errno == ELOOP && is_public)
		return refuse(path, "a symbolic link", why);
	if (fd < 0)
		return why_set(why, -errno, "cannot write %s: %s", path, strerror(errno));
	if (!fstat(fd, &st) && is_public && st.st_uid != geteuid()) {
		close(fd);
		return refuse(path, "a file of somebody else", why);
	}
	if (S_ISREG(st.st_mode) && ftruncate(fd, 0)) {
		int err = -errno;

		close(fd);
		return why_set(why, err, "cannot write %s: %s", path, strerror(-err));
	}
	return fd;
}

char *output_name(const char *pattern, int pid, struct why *why)
{
	struct buf b = {0};
	char host[256] = "host", stamp[32];
	time_t now = time(NULL);
	struct tm tm;

	gethostname(host, sizeof(host) - 1);
	strftime(stamp, sizeof(stamp), "%Y%m%d-%H%M%S", localtime_r(&now, &tm));
	for (const char *p = pattern; *p; p++) {
		if (*p != '%') {
			buf_byte(&b, (uint8_t)*p);
			continue;
		}
		switch (*++p) {
		case 'p':
			buf_printf(&b, "%d", pid);
			break;
		case 't':
			buf_str(&b, stamp);
			break;
		case 'h':
			buf_str(&b, host);
			break;
		case '%':
			buf_byte(&b, '%');
			break;
		default:
			why_set(why, -EINVAL, "%%%c in %s: only %%p (pid), %%t (time), %%h (host) and %%%% are known",
				*p ? *p : ' ', pattern);
			buf_free(&b);
			return NULL;
		}
	}
	buf_byte(&b, 0);
	return (char *)b.v;
}
