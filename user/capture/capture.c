/* SPDX-License-Identifier: Apache-2.0 */
/* capture.c - the uprobe engine: see capture.h for its life, bpf/gotrace.bpf.c for what runs at a
 * hit. */
#include "capture/capture.h"
#include "capture/resolve.h"
#include "target/wait_reasons.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/perf_event.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "gotrace.skel.h"

struct capture {
	struct gotrace_bpf *skel;
	struct ring_buffer *ring;
	VEC(int) links; /* of the sites */
	VEC(struct bpf_link *) kernel_links;
	struct resolve resolve;
	const struct capture_sink *sink; /* during a drain */
	size_t budget;
	size_t ring_size;
	uint64_t attach_ns;
	const char *link_name;
};

/* ------------------------------------------------------------------------------- loading */

static int quiet(enum libbpf_print_level level, const char *fmt, va_list ap)
{
	if (log_level < 2 || (level == LIBBPF_DEBUG && log_level < 3))
		return 0;
	return vfprintf(stderr, fmt, ap);
}

static size_t round_ring(size_t bytes)
{
	size_t n = 1 << 16;

	while (n < bytes && n < (size_t)1 << 31)
		n *= 2;
	return n;
}

/* task->tgid is that of the first pid namespace; from inside another the pids differ. */
static bool in_first_pid_namespace(void)
{
	char link[64] = "";

	return readlink("/proc/self/ns/pid", link, sizeof(link) - 1) > 0 &&
	       !strcmp(link, "pid:[4026531836]"); /* PROC_PID_INIT_INO */
}

/* The kernel's number of BPF_TRACE_UPROBE_MULTI (6.6+), which libbpf 1.1 does not know by name. */
#define UPROBE_MULTI 48

void capture_programs(struct gotrace_bpf *skel, bool multi, bool empty_program)
{
	struct bpf_program *real[] = {
		skel->progs.on_probe,
		skel->progs.on_hot_start,
		skel->progs.on_hot_gopark,
		skel->progs.on_hot_ready,
	};

	for (size_t i = 0; i < ARRAY_SIZE(real); i++) {
		bpf_program__set_autoload(real[i], !empty_program);
		if (multi)
			bpf_program__set_expected_attach_type(real[i], UPROBE_MULTI);
	}
	bpf_program__set_autoload(skel->progs.on_probe_empty, empty_program);
	if (multi)
		bpf_program__set_expected_attach_type(skel->progs.on_probe_empty, UPROBE_MULTI);
}

static int load(struct capture *c, const struct capture_config *cfg, bool multi, struct why *why)
{
	const struct plan *plan = cfg->plan;

	c->skel = gotrace_bpf__open();
	if (!c->skel)
		return why_set(why, -errno, "cannot open the BPF object: %s", strerror(errno));
	c->skel->rodata->off = plan->offsets;
	c->skel->rodata->target_tgid = in_first_pid_namespace() ? (uint32_t)cfg->process->pid : 0;
	c->skel->rodata->gc_worker_pc = plan->globals.gc_bg_mark_worker + cfg->process->bias;
	c->skel->rodata->tls_g = (int32_t)plan->globals.tls_g;
	c->skel->rodata->hidden_frames = go_version_cmp(cfg->version, 1, 21, 0) < 0;
	c->skel->rodata->has_quiet_wirep = go_version_cmp(cfg->version, 1, 26, 0) < 0;
	c->skel->rodata->stop_skip = go_version_cmp(cfg->version, 1, 25, 0) < 0;
	/* runtime/tracestack.go traceStack: a buffer of 128 with the skip in front; since 1.26 one
	 * of 135 */
	c->skel->rodata->max_frames = go_version_cmp(cfg->version, 1, 26, 0) < 0 ? 126 : 133;
	c->skel->rodata->want_stacks = !cfg->without_stacks;
	c->skel->rodata->want_objects = !cfg->without_objects;
	for (unsigned i = 0; i < ARRAY_SIZE(c->skel->rodata->block_reasons); i++)
		c->skel->rodata->block_reasons[i] = resolve_reason(&c->resolve, (uint8_t)i);
	c->skel->rodata->gopark_pc = plan->globals.gopark_return + cfg->process->bias;
	if (go_version_cmp(cfg->version, 1, 21, 0) >= 0 && plan->globals.systemstack) {
		c->skel->rodata->systemstack_lo = plan->globals.systemstack + cfg->process->bias;
		c->skel->rodata->systemstack_hi =
			plan->globals.systemstack_end + cfg->process->bias;
		c->skel->rodata->systemstack_pc = plan->globals.systemstack_pc + cfg->process->bias;
	}
	c->skel->data_armed->read_goid = true;
	bpf_map__set_max_entries(c->skel->maps.ring, (uint32_t)c->ring_size);
	capture_programs(c->skel, multi, cfg->empty_program);
	bpf_program__set_autoload(c->skel->progs.on_sample, cfg->sample_hz > 0);
	int err = gotrace_bpf__load(c->skel);

	if (err == -EPERM)
		return why_set(why, err,
			       "not allowed to load BPF programs: run as root, or with "
			       "CAP_BPF, CAP_PERFMON and CAP_SYS_PTRACE");
	if (err)
		return why_set(why, err,
			       "the kernel refused the BPF programs (%s); `gotrace check` "
			       "tells what it supports",
			       strerror(-err));
	return 0;
}

/* ------------------------------------------------------------------------------- attaching */

/* struct of bpf(BPF_LINK_CREATE) for uprobe_multi: include/uapi/linux/bpf.h, Linux 6.6 */
struct uprobe_multi_attr {
	uint32_t prog_fd, target_fd, attach_type, flags;
	uint64_t path, offsets, ref_ctr_offsets, cookies;
	uint32_t cnt, multi_flags, pid, pad;
};

/* The programs of sites: the first row that fits a site is its program. */
struct site_program {
	struct bpf_program *program;
	uint8_t probe, gsrc; /* GT_P_NONE: any */
};

enum { MAX_SITE_PROGRAMS = 4 };

static size_t site_programs(const struct capture *c, const struct capture_config *cfg,
			    struct site_program out[MAX_SITE_PROGRAMS])
{
	const struct site_program all[] = {
		{ c->skel->progs.on_hot_start, GT_P_START, GT_G_RAX },
		{ c->skel->progs.on_hot_gopark, GT_P_GOPARK, GT_G_R14 },
		{ c->skel->progs.on_hot_ready, GT_P_READY, GT_G_RAX },
		{ c->skel->progs.on_probe, GT_P_NONE, 0 },
	};

	memcpy(out, all, sizeof(all));
	if (!cfg->empty_program)
		return ARRAY_SIZE(all);
	out[0] = (struct site_program){ c->skel->progs.on_probe_empty, GT_P_NONE, 0 };
	return 1;
}

static const struct site_program *program_of(const struct site_program *p, const struct site *s)
{
	while (p->probe != GT_P_NONE && (p->probe != s->probe || p->gsrc != s->gsrc))
		p++;
	return p;
}

/* One link for all sites of a program. */
static int attach_multi(struct capture *c, const struct site_program *programs,
			const struct site_program *which, const struct capture_config *cfg)
{
	const struct plan *plan = cfg->plan;
	CLEANUP(freep) uint64_t *offsets = xcalloc(plan->n_sites, sizeof(*offsets));
	CLEANUP(freep) uint64_t *cookies = xcalloc(plan->n_sites, sizeof(*cookies));
	uint32_t n = 0;

	for (size_t i = 0; i < plan->n_sites; i++) {
		const struct site *s = &plan->sites[i];

		if (program_of(programs, s) != which)
			continue;
		offsets[n] = (uint64_t)s->file_offset;
		cookies[n++] = GT_COOKIE(s->probe, s->gsrc, s->arg);
	}
	struct uprobe_multi_attr attr = {
		.prog_fd = (uint32_t)bpf_program__fd(which->program),
		.attach_type = UPROBE_MULTI,
		.path = (uint64_t)(uintptr_t)cfg->process->exe_path,
		.offsets = (uint64_t)(uintptr_t)offsets,
		.cookies = (uint64_t)(uintptr_t)cookies,
		.cnt = n,
		.pid = (uint32_t)cfg->process->pid,
	};

	if (!n)
		return 0;
	int fd = (int)syscall(SYS_bpf, BPF_LINK_CREATE, &attr, sizeof(attr));

	if (fd < 0)
		return -errno;
	*vec_push(&c->links) = fd;
	return 0;
}

static int attach_single(struct capture *c, const struct site_program *programs,
			 const struct capture_config *cfg, struct why *why)
{
	for (size_t i = 0; i < cfg->plan->n_sites; i++) {
		const struct site *s = &cfg->plan->sites[i];
		LIBBPF_OPTS(bpf_uprobe_opts, opts,
			    .bpf_cookie = GT_COOKIE(s->probe, s->gsrc, s->arg));
		struct bpf_link *link = bpf_program__attach_uprobe_opts(
			program_of(programs, s)->program, cfg->process->pid, cfg->process->exe_path,
			(size_t)s->file_offset, &opts);

		if (!link)
			return why_set(why, -errno, "cannot probe %s+0x%x: %s", s->func,
				       s->func_offset, strerror(errno));
		*vec_push(&c->kernel_links) = link;
	}
	return 0;
}

static int attach_sites(struct capture *c, const struct capture_config *cfg, bool multi,
			struct why *why)
{
	struct site_program programs[MAX_SITE_PROGRAMS];
	size_t n = site_programs(c, cfg, programs);
	int err = 0;

	if (!multi)
		return attach_single(c, programs, cfg, why);
	for (size_t i = 0; i < n && !err; i++)
		err = attach_multi(c, programs, &programs[i], cfg);
	if (err && !process_alive(cfg->process))
		return why_set(why, -ESRCH, "process %d ended while it was attached to",
			       cfg->process->pid);
	if (err)
		why_set(why, err, "cannot attach %zu probes to %s: %s", cfg->plan->n_sites,
			cfg->process->exe_name, strerror(-err));
	return err;
}

/* One sampling event a CPU, filtered by process in the program: threads come and go without our
 * notice. */
static int attach_samples(struct capture *c, unsigned hz)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_SOFTWARE,
		.size = sizeof(attr),
		.config = PERF_COUNT_SW_CPU_CLOCK,
		.sample_freq = hz,
		.freq = 1,
		.exclude_idle = 1,
		.exclude_kernel = 0,
	};
	long cpus = sysconf(_SC_NPROCESSORS_CONF);

	for (int cpu = 0; cpu < cpus; cpu++) {
		int fd =
			(int)syscall(SYS_perf_event_open, &attr, -1, cpu, -1, PERF_FLAG_FD_CLOEXEC);

		if (fd < 0 && (errno == ENODEV || errno == ENXIO))
			continue; /* an offline CPU */
		if (fd < 0)
			return -errno;
		struct bpf_link *link =
			bpf_program__attach_perf_event(c->skel->progs.on_sample, fd);

		if (!link) {
			close(fd);
			return -errno;
		}
		*vec_push(&c->kernel_links) = link; /* owns fd */
	}
	return 0;
}

static int attach(struct capture *c, const struct capture_config *cfg, bool multi, struct why *why)
{
	struct bpf_link *exec = bpf_program__attach(c->skel->progs.on_exec);

	if (!exec)
		return why_set(why, -errno, "cannot attach to sched_process_exec: %s",
			       strerror(errno));
	*vec_push(&c->kernel_links) = exec;
	if (cfg->sample_hz) {
		int err = attach_samples(c, cfg->sample_hz);

		if (err)
			log_warn("no CPU samples: %s", strerror(-err));
	}
	return attach_sites(c, cfg, multi, why);
}

static int on_ring(void *ctx, void *data, size_t n)
{
	struct capture *c = ctx;

	if (resolve_record(&c->resolve, data, n, c->sink))
		c->resolve.counts.bad_reads++;
	return --c->budget ? 0 : -EAGAIN;
}

static void read_wait_blocks(struct capture *c, const struct capture_config *cfg)
{
	const struct globals *g = &cfg->plan->globals;

	wait_reasons_read(cfg->process, g->wait_reasons + cfg->process->bias, g->n_wait_reasons,
			  c->resolve.wait_blocks);
}

static int open_with(struct capture *c, const struct capture_config *cfg, bool multi,
		     struct why *why)
{
	int err = load(c, cfg, multi, why);

	if (err)
		return err;
	uint64_t begin = now_ns();

	err = attach(c, cfg, multi, why);
	if (err)
		return err;
	c->attach_ns = now_ns() - begin;
	c->link_name = multi ? "uprobe_multi" : "perf uprobes";
	c->ring = ring_buffer__new(bpf_map__fd(c->skel->maps.ring), on_ring, c, NULL);
	if (!c->ring)
		return why_set(why, -errno, "cannot map the ring buffer: %s", strerror(errno));
	return 0;
}

int capture_open(const struct capture_config *cfg, struct capture **ret, struct why *why)
{
	struct capture *c = NULL;
	int err = -EOPNOTSUPP;

	libbpf_set_print(quiet);
	for (int multi = cfg->link != CAPTURE_LINK_SINGLE; multi >= 0; multi--) {
		c = xcalloc(1, sizeof(*c));
		c->ring_size = round_ring(cfg->ring_bytes ? cfg->ring_bytes : 64 << 20);
		c->resolve.process = cfg->process;
		c->resolve.plan = cfg->plan;
		c->resolve.has_v1_reasons = go_version_cmp(cfg->version, 1, 22, 0) < 0;
		if (c->resolve.has_v1_reasons)
			read_wait_blocks(c, cfg);
		err = open_with(c, cfg, multi, why);
		if (!err)
			break;
		capture_close(c);
		c = NULL;
		if (err == -EPERM || err == -ESRCH || cfg->link == CAPTURE_LINK_MULTI)
			break;
		log_info("uprobe_multi is not to be had here (%s): single perf uprobes",
			 strerror(-err));
	}
	if (err)
		return err;
	*ret = c;
	return 0;
}

void capture_arm(struct capture *c)
{
	__atomic_store_n(&c->skel->data_armed->armed, true, __ATOMIC_SEQ_CST);
}

void capture_disarm(struct capture *c)
{
	__atomic_store_n(&c->skel->data_armed->armed, false, __ATOMIC_SEQ_CST);
}

void capture_learn_g(struct capture *c, uint64_t gp, uint64_t goid)
{
	if (!map64_get(&c->resolve.goids, gp))
		*map64_at(&c->resolve.goids, gp) = goid;
}

void capture_learned(struct capture *c)
{
	if (!c->skel->data_stats->stats.lost)
		__atomic_store_n(&c->skel->data_armed->read_goid, false, __ATOMIC_SEQ_CST);
}

static void report_last_loss(struct capture *c)
{
	struct gt_stats *s = (void *)&c->skel->data_stats->stats;
	uint64_t n = __atomic_exchange_n(&s->lost_unreported, 0, __ATOMIC_SEQ_CST);
	struct record rec = {
		.type = REC_LOSS,
		.ts_ns = now_ns(),
		.p = RECORD_NO_P,
		.arg = n,
		.object = s->lost_since_ns,
	};

	if (!n)
		return;
	c->resolve.counts.lost += n;
	c->sink->record(c->sink->ctx, &rec);
}

long capture_drain(struct capture *c, size_t max, const struct capture_sink *sink)
{
	size_t budget = max ? max : SIZE_MAX;

	c->sink = sink;
	c->budget = budget;
	int n = ring_buffer__consume(c->ring);
	long taken = (long)(budget - c->budget);

	if (n >= 0 && !c->skel->data_armed->armed)
		report_last_loss(c);
	c->sink = NULL;
	return n < 0 && n != -EAGAIN ? n : taken;
}

void capture_counts(struct capture *c, struct capture_counts *ret)
{
	*ret = c->resolve.counts;
	ret->no_scratch = c->skel->data_stats->stats.no_scratch;
	ret->attach_ns = c->attach_ns;
	ret->link = c->link_name;
}

uint32_t capture_stack(struct capture *c, const uint64_t *pcs, unsigned n,
		       const struct capture_sink *sink)
{
	return n ? resolve_stack(&c->resolve, pcs, n, sink) : 0;
}

static void *close_fd(void *fd)
{
	close((int)(intptr_t)fd);
	return NULL;
}

static void *destroy_link(void *link)
{
	bpf_link__destroy(link);
	return NULL;
}

/*
 * Each link's end waits some 30 ms until no CPU is in its program: all at once.
 */
void capture_detach(struct capture *c)
{
	uint64_t begin = now_ns();
	CLEANUP(freep)
	pthread_t *threads = xcalloc(c->links.n + c->kernel_links.n + 1, sizeof(*threads));
	size_t n = 0;

	for (size_t i = 0; i < c->links.n + c->kernel_links.n; i++) {
		bool is_fd = i < c->links.n;
		void *(*end)(void *) = is_fd ? close_fd : destroy_link;
		void *link = is_fd ? (void *)(intptr_t)c->links.v[i]
				   : (void *)c->kernel_links.v[i - c->links.n];

		/* hundreds of single uprobes would be hundreds of threads */
		if (n < 16 && !pthread_create(&threads[n], NULL, end, link))
			n++;
		else
			end(link);
	}
	while (n)
		pthread_join(threads[--n], NULL);
	vec_free(&c->links);
	vec_free(&c->kernel_links);
	c->resolve.counts.detach_ns += now_ns() - begin;
}

void capture_close(struct capture *c)
{
	if (!c)
		return;
	capture_detach(c);
	if (c->ring)
		ring_buffer__free(c->ring);
	gotrace_bpf__destroy(c->skel);
	resolve_free(&c->resolve);
	free(c);
}
