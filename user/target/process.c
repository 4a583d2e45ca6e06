/* SPDX-License-Identifier: Apache-2.0 */
/* process.c - see process.h. Formats of /proc: proc(5). */
#include "target/process.h"

#include <ctype.h>
#include <dirent.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>
#include <unistd.h>

enum { MAX_PROC_FILE = 16 << 20, MAX_THREADS = 1 << 20, PIECES_PER_CALL = 256 };

/* What we want of /proc/PID/stat, after the command's closing parenthesis. */
struct stat_line {
	char state;
	int ppid;
	uint64_t user_ticks, system_ticks, start_ticks;
};

static int read_proc(int pid, const char *name, struct buf *out)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
	return read_file(path, MAX_PROC_FILE, out);
}

static int parse_stat(const char *line, struct stat_line *ret)
{
	const char *after = strrchr(line, ')'); /* the command may hold any other byte */
	unsigned long long user, system, start;
	struct stat_line s;

	/* Fields 3, 4, then 14, 15 and 22. */
	if (!after || sscanf(after + 1, " %c %d %*d %*d %*d %*d %*u %*u %*u %*u %*u %llu %llu "
			     "%*d %*d %*d %*d %*d %*d %llu", &s.state, &s.ppid, &user, &system, &start) != 5)
		return -EBADMSG;
	s.user_ticks = user;
	s.system_ticks = system;
	s.start_ticks = start;
	*ret = s;
	return 0;
}

static int read_stat(int pid, struct stat_line *ret)
{
	CLEANUP(buf_free) struct buf b = {0};
	int err = read_proc(pid, "stat", &b);

	return err ? err : parse_stat((const char *)b.v, ret);
}

static void make_printable(char *s)
{
	for (; *s; s++)
		*s = printable(*s);
}

/* NULs between arguments become spaces. */
static void copy_cmdline(char *out, size_t size, const struct buf *b)
{
	size_t n = min_u64(b->n, size - 1);

	while (n && !b->v[n - 1])
		n--;
	for (size_t i = 0; i < n; i++)
		out[i] = b->v[i] ? (char)b->v[i] : ' ';
	out[n] = 0;
	make_printable(out);
}

static void read_names(struct process *p)
{
	CLEANUP(buf_free) struct buf comm = {0};
	CLEANUP(buf_free) struct buf cmdline = {0};

	if (!read_proc(p->pid, "comm", &comm)) {
		snprintf(p->comm, sizeof(p->comm), "%s", (const char *)comm.v);
		p->comm[strcspn(p->comm, "\n")] = 0;
		make_printable(p->comm);
	}
	if (!read_proc(p->pid, "cmdline", &cmdline))
		copy_cmdline(p->cmdline, sizeof(p->cmdline), &cmdline);
}

/* The process that a thread id belongs to, -ESRCH if there is no such thread. */
static int leader_of(int tid)
{
	CLEANUP(buf_free) struct buf b = {0};
	int err = read_proc(tid, "status", &b);

	if (err)
		return err == -ENOENT ? -ESRCH : err;
	const char *tgid = strstr((const char *)b.v, "\nTgid:");

	return tgid ? atoi(tgid + strlen("\nTgid:")) : -ESRCH;
}

static int why_access(int err, int pid, struct why *why)
{
	if (err == -EACCES || err == -EPERM)
		return why_set(why, err, geteuid() ? "may not look at process %d: it belongs to another user, or guards "
			       "itself; run as root (or with CAP_SYS_PTRACE)"
			       : "may not look at process %d, even as root: a container without CAP_SYS_PTRACE "
			       "(--cap-add SYS_PTRACE), or a security module", pid);
	if (err == -ENOENT || err == -ESRCH)
		return why_set(why, -ESRCH, "no process %d", pid);
	return why_set(why, err, "process %d: %s", pid, strerror(-err));
}

static int open_pidfd(int pid)
{
	int fd = (int)syscall(SYS_pidfd_open, pid, 0);

	return fd < 0 ? -errno : fd;
}

static int open_exe(struct process *p, struct why *why)
{
	snprintf(p->exe_path, sizeof(p->exe_path), "/proc/%d/exe", p->pid);
	p->exe_fd = open(p->exe_path, O_RDONLY | O_CLOEXEC);
	if (p->exe_fd < 0 && errno == ENOENT) /* it exists, but no memory map has a file */
		return why_set(why, -ENOEXEC, "process %d has no executable: a kernel thread", p->pid);
	if (p->exe_fd < 0)
		return why_access(-errno, p->pid, why);
	ssize_t n = readlink(p->exe_path, p->exe_name, sizeof(p->exe_name) - 1);

	p->exe_name[n > 0 ? n : 0] = 0;
	make_printable(p->exe_name);
	return 0;
}

/* The pidfd is opened before /proc is read: if it is still alive after, all that was read is of one process. */
static int fill(struct process *p, struct why *why)
{
	struct stat_line s;

	p->pidfd = open_pidfd(p->pid);
	if (p->pidfd < 0)
		return why_access(p->pidfd, p->pid, why);
	int err = read_stat(p->pid, &s);

	if (err)
		return why_access(err, p->pid, why);
	if (s.state == 'Z' || s.state == 'X')
		return why_set(why, -ENOEXEC, "process %d has ended already (a zombie)", p->pid);
	err = open_exe(p, why);
	if (err)
		return err;
	p->state = s.state;
	p->ppid = s.ppid;
	p->start_ticks = s.start_ticks;
	read_names(p);
	return process_alive(p) ? 0 : why_set(why, -ESRCH, "process %d has just ended", p->pid);
}

int process_open(int pid, struct process **ret, struct why *why)
{
	int leader = pid > 0 ? leader_of(pid) : -ESRCH;

	if (leader < 0)
		return why_access(leader, pid, why);
	if (leader != pid)
		log_info("%d is a thread of process %d", pid, leader);
	struct process *p = xcalloc(1, sizeof(*p));

	p->pid = leader;
	p->pidfd = p->exe_fd = -1;
	int err = fill(p, why);

	if (err) {
		process_close(p);
		return err;
	}
	*ret = p;
	return 0;
}

void process_close(struct process *p)
{
	if (!p)
		return;
	closep(&p->pidfd);
	closep(&p->exe_fd);
	free(p);
}

/* One line of /proc/PID/maps. */
struct mapping {
	uint64_t start, end, offset, inode;
	unsigned int major, minor;
};

static bool parse_mapping(const char *line, struct mapping *ret)
{
	unsigned long long start, end, offset, inode;

	if (sscanf(line, "%llx-%llx %*4s %llx %x:%x %llu", &start, &end, &offset, &ret->major,
		   &ret->minor, &inode) != 6)
		return false;
	ret->start = start;
	ret->end = end;
	ret->offset = offset;
	ret->inode = inode;
	return true;
}

/* The file offset of the page that holds first_vaddr. */
static uint64_t first_page_offset(const struct image *im)
{
	const struct image_segment *s = &im->segments[0];

	return s->file_offset - (s->vaddr - im->first_vaddr);
}

/*
 * The lowest mapping of the executable's first page. Inodes alone are compared before devices: overlayfs and btrfs
 * show another device in maps than stat does.
 */
static bool find_first_mapping(const char *maps, const struct stat *exe, uint64_t offset, uint64_t *start)
{
	for (const char *line = maps; line && *line;) {
		struct mapping m;

		if (parse_mapping(line, &m) && m.inode == exe->st_ino && m.offset == offset) {
			*start = m.start;
			return true;
		}
		line = strchr(line, '\n');
		line = line ? line + 1 : NULL;
	}
	return false;
}

/* Some layered filesystems show in maps the inode of a layer; the kernel also told the program its entry. */
static bool start_from_auxv(const struct process *p, const struct image *im, uint64_t *start)
{
	CLEANUP(buf_free) struct buf auxv = {0};

	if (read_proc(p->pid, "auxv", &auxv))
		return false;
	struct cursor c = cursor_of(auxv.v, auxv.n);

	while (cursor_left(&c) >= 16) {
		uint64_t type = cursor_u64(&c), value = cursor_u64(&c);

		if (type == AT_ENTRY) {
			*start = value - im->entry + im->first_vaddr;
			return true;
		}
	}
	return false;
}

int process_locate(struct process *p, const struct image *im, struct why *why)
{
	CLEANUP(buf_free) struct buf maps = {0};
	int err = read_proc(p->pid, "maps", &maps);
	struct stat exe;
	uint64_t start;

	if (err)
		return why_access(err, p->pid, why);
	if (fstat(p->exe_fd, &exe))
		return why_set(why, -errno, "cannot stat the executable: %s", strerror(errno));
	if (!find_first_mapping((const char *)maps.v, &exe, first_page_offset(im), &start) &&
	    !start_from_auxv(p, im, &start))
		return why_set(why, -ENOENT, "the executable of process %d is not in its memory map", p->pid);
	if (!im->is_pie && start != im->first_vaddr)
		return why_set(why, -EBADMSG, "the executable of process %d is not mapped where it says", p->pid);
	p->bias = start - im->first_vaddr;
	return 0;
}

bool process_alive(const struct process *p)
{
	struct pollfd ended = {.fd = p->pidfd, .events = POLLIN};

	return poll(&ended, 1, 0) == 0;
}

bool process_same_exe(const struct process *p)
{
	struct stat opened, now;

	return process_alive(p) && !fstat(p->exe_fd, &opened) && !stat(p->exe_path, &now) &&
	       opened.st_dev == now.st_dev && opened.st_ino == now.st_ino;
}

uint64_t process_cpu_ns(const struct process *p)
{
	struct stat_line s;

	if (read_stat(p->pid, &s))
		return 0;
	return (s.user_ticks + s.system_ticks) * (1000000000ull / (uint64_t)sysconf(_SC_CLK_TCK));
}

/* For kernels and sandboxes without process_vm_readv. */
static ssize_t read_proc_mem(const struct process *p, uint64_t addr, void *buf, size_t n)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/mem", p->pid);
	CLEANUP(closep) int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t got = fd < 0 ? -1 : pread(fd, buf, n, (off_t)addr);

	return got < 0 ? -errno : got;
}

ssize_t process_read(const struct process *p, uint64_t addr, void *buf, size_t n)
{
	struct iovec local = {buf, n}, remote = {(void *)(uintptr_t)addr, n};
	ssize_t got = process_vm_readv(p->pid, &local, 1, &remote, 1, 0);

	if (got >= 0)
		return got;
	return errno == ENOSYS || errno == EPERM ? read_proc_mem(p, addr, buf, n) : -errno;
}

static bool read_whole(const struct process *p, uint64_t addr, void *buf, size_t n)
{
	return process_read(p, addr, buf, n) == (ssize_t)n;
}

bool process_u64(const struct process *p, uint64_t addr, uint64_t *ret)
{
	uint8_t bytes[8];

	if (!read_whole(p, addr, bytes, sizeof(bytes)))
		return false;
	struct cursor c = cursor_of(bytes, sizeof(bytes));

	*ret = cursor_u64(&c);
	return true;
}

bool process_u32(const struct process *p, uint64_t addr, uint32_t *ret)
{
	uint8_t bytes[4];

	if (!read_whole(p, addr, bytes, sizeof(bytes)))
		return false;
	struct cursor c = cursor_of(bytes, sizeof(bytes));

	*ret = cursor_u32(&c);
	return true;
}

bool process_u8(const struct process *p, uint64_t addr, uint8_t *ret)
{
	return read_whole(p, addr, ret, 1);
}

/* One call for n pieces. Returns how many of them, from the first, were read whole. */
static size_t read_pieces(const struct process *p, struct process_piece *pieces, size_t n)
{
	struct iovec local[PIECES_PER_CALL] = {0}, remote[PIECES_PER_CALL] = {0};

	for (size_t i = 0; i < n; i++) {
		local[i] = (struct iovec){pieces[i].buf, pieces[i].len};
		remote[i] = (struct iovec){(void *)(uintptr_t)pieces[i].addr, pieces[i].len};
	}
	ssize_t got = process_vm_readv(p->pid, local, n, remote, n, 0);
	uint64_t left = got > 0 ? (uint64_t)got : 0;
	size_t done = 0;

	for (; done < n && left >= pieces[done].len; done++) {
		pieces[done].got = pieces[done].len;
		left -= pieces[done].len;
	}
	return done;
}

/* The kernel stops at the first piece that it cannot read: that one is read alone, the rest in the next call. */
void process_read_many(const struct process *p, struct process_piece *pieces, size_t n)
{
	for (size_t i = 0; i < n;) {
		size_t batch = min_u64(n - i, PIECES_PER_CALL), done = read_pieces(p, pieces + i, batch);

		i += done;
		if (done == batch)
			continue;
		ssize_t got = process_read(p, pieces[i].addr, pieces[i].buf, pieces[i].len);

		pieces[i].got = got > 0 ? (uint32_t)got : 0;
		i++;
	}
}

static int compare_tids(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

int process_threads(const struct process *p, uint32_t **tids, size_t *n)
{
	VEC(uint32_t) found = {0};
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/task", p->pid);
	DIR *dir = opendir(path);

	if (!dir)
		return errno == ENOENT ? -ESRCH : -errno;
	for (struct dirent *e; (e = readdir(dir)) && found.n < MAX_THREADS;)
		if (isdigit((unsigned char)e->d_name[0]))
			*vec_push(&found) = (uint32_t)strtoul(e->d_name, NULL, 10);
	closedir(dir);
	if (!found.n)
		return -ESRCH;
	qsort(found.v, found.n, sizeof(*found.v), compare_tids);
	*tids = found.v;
	*n = found.n;
	return 0;
}

bool process_has_thread(const uint32_t *tids, size_t n, uint32_t tid)
{
	return bsearch(&tid, tids, n, sizeof(*tids), compare_tids);
}
