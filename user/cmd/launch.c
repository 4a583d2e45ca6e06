/* SPDX-License-Identifier: Apache-2.0 */
/* launch.c - see launch.h. The stop at exec is ptrace's (PTRACE_TRACEME): nothing runs before it.
 */
#include "cmd/launch.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

/* In the child. The pipe tells the parent an errno, or closes at exec. */
static void become(char *const argv[], int pipe_fd)
{
	signal(SIGINT, SIG_DFL);
	signal(SIGTERM, SIG_DFL);
	signal(SIGPIPE, SIG_DFL);
	if (!ptrace(PTRACE_TRACEME, 0, 0, 0))
		execvp(argv[0], argv);
	int err = errno;

	if (write(pipe_fd, &err, sizeof(err)) < 0)
		_exit(126);
	_exit(127);
}

int launch(char *const argv[], int *pid, struct why *why)
{
	int fds[2], err = 0, status;

	if (pipe2(fds, O_CLOEXEC))
		return why_set(why, -errno, "pipe: %s", strerror(errno));
	pid_t child = fork();

	if (child < 0)
		return why_set(why, -errno, "fork: %s", strerror(errno));
	if (!child)
		become(argv, fds[1]);
	close(fds[1]);
	ssize_t n = read(fds[0], &err, sizeof(err));

	close(fds[0]);
	if (n == sizeof(err)) {
		waitpid(child, &status, 0);
		return why_set(why, -err, "cannot run %s: %s", argv[0], strerror(err));
	}
	if (waitpid(child, &status, 0) != child || !WIFSTOPPED(status))
		return why_set(why, -ECHILD, "%s ended before its first instruction", argv[0]);
	*pid = child;
	return 0;
}

int launch_release(int pid)
{
	return ptrace(PTRACE_DETACH, pid, 0, 0) ? -errno : 0;
}

void launch_kill(int pid)
{
	kill(pid, SIGKILL);
	launch_wait(pid);
}

int launch_wait(int pid)
{
	int status;

	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return 1;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
