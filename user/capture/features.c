/* SPDX-License-Identifier: Apache-2.0 */
/* features.c - see features.h. */
#include "capture/features.h"
#include "capture/capture.h"
#include "capture/cost.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/capability.h>
#include <linux/perf_event.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "gotrace/wire.h"
#include "gotrace.skel.h"

static bool has_capability(unsigned cap)
{
	CLEANUP(buf_free) struct buf b = { 0 };
	const char *line;

	if (read_file("/proc/self/status", 1 << 16, &b))
		return false;
	line = strstr((char *)b.v, "CapEff:");
	return line && strtoull(line + 7, NULL, 16) >> cap & 1;
}

static int probe_bpf(char detail[128])
{
	bool bpf = has_capability(CAP_BPF) || has_capability(CAP_SYS_ADMIN);
	bool perfmon = has_capability(CAP_PERFMON) || has_capability(CAP_SYS_ADMIN);

	snprintf(detail, 128, "CAP_BPF %s, CAP_PERFMON %s", bpf ? "yes" : "no",
		 perfmon ? "yes" : "no");
	return bpf && perfmon;
}

static int probe_ptrace(char detail[128])
{
	bool yes = has_capability(CAP_SYS_PTRACE);

	snprintf(detail, 128, "%s",
		 yes ? "CAP_SYS_PTRACE" : "only processes of the same user that allow it");
	return yes || geteuid() != 0;
}

static int probe_btf(char detail[128])
{
	snprintf(detail, 128, "/sys/kernel/btf/vmlinux");
	return !access("/sys/kernel/btf/vmlinux", R_OK);
}

static int probe_map(enum bpf_map_type type, char detail[128])
{
	int there = libbpf_probe_bpf_map_type(type, NULL);

	if (there < 0)
		snprintf(detail, 128, "cannot tell: %s", strerror(-there));
	return there == 1;
}

static int probe_ring(char detail[128])
{
	return probe_map(BPF_MAP_TYPE_RINGBUF, detail);
}

static int probe_storage(char detail[128])
{
	return probe_map(BPF_MAP_TYPE_TASK_STORAGE, detail);
}

static int load_programs(bool multi)
{
	struct gotrace_bpf *skel = gotrace_bpf__open();

	if (!skel)
		return -errno;
	/* the offsets must make sense to the verifier: those of no version in particular */
	skel->rodata->off =
		(struct gt_offsets){ .m_block_reason = 512, .poll_wg = 40, .poll_rg = 32 };
	bpf_map__set_max_entries(skel->maps.ring, 1 << 16);
	capture_programs(skel, multi, false);
	int err = gotrace_bpf__load(skel);

	gotrace_bpf__destroy(skel);
	return err;
}

static int probe_programs(char detail[128])
{
	int err = load_programs(false);

	snprintf(detail, 128, "%s", err ? strerror(-err) : "loaded");
	return !err;
}

static int probe_multi(char detail[128])
{
	int err = load_programs(true);

	snprintf(detail, 128, "%s",
		 err ? "single perf uprobes instead: detach takes seconds"
		     : "attach some 15 ms, detach some 40 ms");
	return !err;
}

static int probe_trap(char detail[128])
{
	double ns = cost_of_trap_ns();

	snprintf(detail, 128, ns > 0 ? "a trap costs %.0f ns here" : "could not probe ourselves",
		 ns);
	return ns > 0;
}

static int probe_samples(char detail[128])
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_SOFTWARE,
		.size = sizeof(attr),
		.config = PERF_COUNT_SW_CPU_CLOCK,
		.sample_freq = 99,
		.freq = 1,
	};
	int fd = (int)syscall(SYS_perf_event_open, &attr, -1, 0, -1, PERF_FLAG_FD_CLOEXEC);

	if (fd < 0)
		snprintf(detail, 128, "perf_event_open: %s", strerror(errno));
	else
		close(fd);
	return fd >= 0;
}

static int probe_lockdown(char detail[128])
{
	CLEANUP(buf_free) struct buf b = { 0 };

	if (read_file("/sys/kernel/security/lockdown", 256, &b))
		return snprintf(detail, 128, "not in force") > 0;
	snprintf(detail, 128, "%.60s", (char *)b.v);
	detail[strcspn(detail, "\n")] = 0;
	return !strstr(detail, "[confidentiality]");
}

const struct feature features[] = {
	{ "privileges for BPF", "5.8",
	  "run as root, or: setcap cap_bpf,cap_perfmon,cap_sys_ptrace+ep gotrace", true,
	  probe_bpf },
	{ "reading other processes", "3.2", "run as root, or add CAP_SYS_PTRACE", true,
	  probe_ptrace },
	{ "kernel type information", "5.5", "a kernel built with CONFIG_DEBUG_INFO_BTF=y", true,
	  probe_btf },
	{ "lockdown", "5.4",
	  "boot without lockdown=confidentiality: it forbids reading memory from BPF", true,
	  probe_lockdown },
	{ "BPF ring buffer", "5.8", "a newer kernel", true, probe_ring },
	{ "BPF task storage", "5.11", "a newer kernel", true, probe_storage },
	{ "our BPF programs load", "6.1",
	  "a newer kernel; -vv with record prints the verifier's words", true, probe_programs },
	{ "uprobes", "3.5", "a kernel built with CONFIG_UPROBES=y", true, probe_trap },
	{ "uprobe_multi", "6.6", "not needed: single uprobes are used", false, probe_multi },
	{ "CPU samples", "2.6.31",
	  "not needed; or sysctl kernel.perf_event_paranoid=-1 with CAP_PERFMON", false,
	  probe_samples },
};
const size_t n_features = ARRAY_SIZE(features);
