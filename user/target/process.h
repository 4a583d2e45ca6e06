/* SPDX-License-Identifier: Apache-2.0 */
/*
 * process.h - a running process, from outside: its executable, where it is loaded, its memory, its threads.
 *
 * Everything goes through /proc/PID, which also works for containers, deleted and replaced binaries: the file that
 * is opened is the one that runs, not what stands at its path now. A pidfd pins the process: a reused pid is noticed.
 */
#ifndef TARGET_PROCESS_H
#define TARGET_PROCESS_H

#include <sys/types.h>

#include "base/base.h"
#include "target/image.h"

struct process {
	int pid;
	int pidfd;             /* readable (poll) once it has ended */
	int exe_fd;            /* the running executable */
	char exe_path[64];     /* "/proc/PID/exe": for the kernel, resolves to the running inode */
	char exe_name[256];    /* readlink of it, for people; may end in " (deleted)" */
	char comm[32];
	char cmdline[1024];    /* arguments joined by spaces, unprintable bytes replaced */
	uint64_t start_ticks;  /* field 22 of stat: with pid, names the process for ever */
	uint64_t bias;         /* runtime address = vaddr + bias, once process_locate was called */
	int ppid;
	char state;            /* R S D T t Z X of the leader */
};

/*
 * -ESRCH: no such process; -EACCES/-EPERM: not ours to look at (why tells what is needed); -ENOEXEC: a kernel
 * thread or zombie. A tid that is not a leader is resolved to its process and said in the log.
 */
int process_open(int pid, struct process **ret, struct why *why);
void process_close(struct process *p);
/* Computes bias from /proc/PID/maps: the mapping of exe's inode that holds im->first_vaddr; else from the auxv's entry. */
int process_locate(struct process *p, const struct image *im, struct why *why);
bool process_alive(const struct process *p);   /* false for a zombie leader too */
/* Still running the executable that was opened? (false after exec) */
bool process_same_exe(const struct process *p);
/* User+system CPU time of all its threads so far, ns. */
uint64_t process_cpu_ns(const struct process *p);

/* Runtime addresses. Bytes read (short at an unmapped page) or -errno. process_vm_readv, /proc/PID/mem as fallback. */
ssize_t process_read(const struct process *p, uint64_t addr, void *buf, size_t n);
bool process_u64(const struct process *p, uint64_t addr, uint64_t *ret);
bool process_u32(const struct process *p, uint64_t addr, uint32_t *ret);
bool process_u8(const struct process *p, uint64_t addr, uint8_t *ret);

/* Many small pieces in few system calls. .got is what was read of each, 0 if it could not be. */
struct process_piece {
	uint64_t addr;
	void *buf;
	uint32_t len, got;
};
void process_read_many(const struct process *p, struct process_piece *pieces, size_t n);

/* Thread ids of the process now (ascending). Owner frees. */
int process_threads(const struct process *p, uint32_t **tids, size_t *n);
bool process_has_thread(const uint32_t *tids, size_t n, uint32_t tid); /* is it one of them? */

#endif
