/* SPDX-License-Identifier: Apache-2.0 */
/* session.c - see session.h. */
#include "cmd/session.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <unistd.h>

int exit_code_of(int err)
{
	return !err ? EXIT_FINE : err == -ENOTSUP || err == -ENOEXEC ? EXIT_REFUSED : EXIT_FAILED;
}

int fail(int err, const struct why *why)
{
	fprintf(stderr, "gotrace: %s\n", why->text[0] ? why->text : strerror(-err));
	return exit_code_of(err);
}

int blame_end(const struct process *p, int err, struct why *why)
{
	struct pollfd end = { .fd = p ? p->pidfd : -1, .events = POLLIN };

	if (!p || poll(&end, 1, 100) <= 0)
		return err;
	return why_set(why, -ESRCH, "process %d ended while it was attached to", p->pid);
}

int misuse(const char *verb, const struct why *why)
{
	fprintf(stderr, "gotrace %s: %s\n", verb, why->text);
	return EXIT_FAILED;
}

int open_input(const char *path, struct why *why)
{
	int fd = strcmp(path, "-") ? open(path, O_RDONLY | O_CLOEXEC) : dup(STDIN_FILENO);

	return fd < 0 ? why_set(why, -errno, "cannot open %s: %s", path, strerror(errno)) : fd;
}

static int open_binary(int fd, const char *name, struct session *s, struct why *why)
{
	struct why reason = { "" };
	int err = image_open(fd, &s->image, &reason);

	if (err)
		return why_set(why, err, "%s: %s", name, reason.text);
	err = buildinfo_read(s->image, &s->build, why);
	if (err)
		return why_set(why, -ENOTSUP,
			       "%s is not a Go program: no Go version in it. "
			       "If it starts one, give that one's pid",
			       name);
	err = buildinfo_check(&s->build, why);
	if (err)
		return err;
	err = pclntab_open(s->image, &s->build.version, &s->table, why);
	return err ? -ENOTSUP : 0;
}

static void locate(struct session *s)
{
	uint64_t bias = s->process ? s->process->bias : 0;

	s->symbols = pclntab_symbols(s->table, bias);
	s->text_lo = pclntab_text(s->table) + bias;
	s->text_hi = pclntab_etext(s->table) + bias;
}

static int make(struct session *s, const struct plan_options *opt, struct why *why)
{
	locate(s);
	return plan_make(s->image, s->table, &s->build, opt, &s->plan, why);
}

int session_open_pid(int pid, const struct plan_options *opt, struct session *ret, struct why *why)
{
	struct session s = { 0 };
	int err = process_open(pid, &s.process, why);

	if (!err)
		err = open_binary(s.process->exe_fd, s.process->exe_name, &s, why);
	if (!err)
		err = process_locate(s.process, s.image, why);
	if (!err)
		err = make(&s, opt, why);
	if (err) {
		err = exit_code_of(err) == EXIT_REFUSED ? err : blame_end(s.process, err, why);
		session_close(&s);
		return err;
	}
	*ret = s;
	return 0;
}

int session_open_file(const char *path, const struct plan_options *opt, struct session *ret,
		      struct why *why)
{
	CLEANUP(closep) int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct session s = { 0 };

	if (fd < 0)
		return why_set(why, -errno, "cannot open %s: %s", path, strerror(errno));
	int err = open_binary(fd, path, &s, why);

	if (!err)
		err = make(&s, opt, why);
	if (err) {
		session_close(&s);
		return err;
	}
	*ret = s;
	return 0;
}

void session_close(struct session *s)
{
	plan_free(s->plan);
	if (s->symbols)
		symbols_close(s->symbols);
	pclntab_close(s->table);
	image_close(s->image);
	process_close(s->process);
	*s = (struct session){ 0 };
}
