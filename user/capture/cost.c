/* SPDX-License-Identifier: Apache-2.0 */
/* cost.c - see cost.h. */
#include "capture/cost.h"
#include "target/image.h"

#include <bpf/libbpf.h>
#include <fcntl.h>
#include <link.h>
#include <stdlib.h>
#include <sys/auxv.h>
#include <time.h>
#include <unistd.h>

#include "gotrace/wire.h"
#include "gotrace.skel.h"

/* A nop is emulated like the instructions of the plan are. */
void cost_site(void);
__asm__(".text\n.globl cost_site\n.type cost_site, @function\ncost_site:\n\tnop\n\tret\n"
	".size cost_site, . - cost_site\n");

enum { ROUNDS = 5, HITS = 2000 };

static int first_object(struct dl_phdr_info *info, size_t size, void *bias)
{
	*(uint64_t *)bias = info->dlpi_addr;
	return 1; /* the first is the executable */
}

/* With file capabilities /proc/self is root's, and the name that was executed must do. */
static const char *own_binary(void)
{
	return access("/proc/self/exe", R_OK) ? (const char *)getauxval(AT_EXECFN)
					      : "/proc/self/exe";
}

static int64_t site_offset(void)
{
	CLEANUP(closep) int fd = open(own_binary(), O_RDONLY | O_CLOEXEC);
	CLEANUP(image_closep) struct image *im = NULL;
	uint64_t bias = 0;

	dl_iterate_phdr(first_object, &bias);
	if (fd < 0 || image_open(fd, &im, NULL))
		return -1;
	return image_file_offset(im, (uint64_t)(uintptr_t)cost_site - bias);
}

static uint64_t cpu_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static double round_ns(void)
{
	uint64_t begin = cpu_ns();

	for (int i = 0; i < HITS; i++)
		cost_site();
	return (double)(cpu_ns() - begin) / HITS;
}

static int ascending(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static double measure(struct gotrace_bpf *skel)
{
	double rounds[ROUNDS];
	int64_t offset = site_offset();

	if (offset < 0)
		return 0;
	struct bpf_link *link = bpf_program__attach_uprobe(skel->progs.on_probe_empty, false,
							   getpid(), own_binary(), (size_t)offset);

	if (!link)
		return 0;
	round_ns(); /* warm */
	for (int i = 0; i < ROUNDS; i++)
		rounds[i] = round_ns();
	bpf_link__destroy(link);
	qsort(rounds, ROUNDS, sizeof(rounds[0]), ascending);
	return rounds[ROUNDS / 2];
}

double cost_of_trap_ns(void)
{
	struct gotrace_bpf *skel = gotrace_bpf__open();
	double ns = 0;

	if (!skel)
		return 0;
	struct bpf_program *p;

	bpf_object__for_each_program(p, skel->obj)
		bpf_program__set_autoload(p, p == skel->progs.on_probe_empty);
	bpf_map__set_max_entries(skel->maps.ring, 1 << 16);
	if (!gotrace_bpf__load(skel))
		ns = measure(skel);
	gotrace_bpf__destroy(skel);
	return ns;
}
