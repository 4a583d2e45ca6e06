/* SPDX-License-Identifier: Apache-2.0 */
/* test_process.c - processes of our own making, compared with what they say of themselves. */
#include "gobuild.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

#include "target/process.h"

static struct process *open_process(int pid)
{
	struct process *p = NULL;
	struct why why = {0};

	if (process_open(pid, &p, &why))
		fail_msg("%s", why.text);
	return p;
}

/* A fork that ends with the test, also when the test fails. */
static pid_t fork_child(void)
{
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (!pid)
		prctl(PR_SET_PDEATHSIG, SIGKILL);
	return pid;
}

/* A child that waits to be killed. */
static pid_t start_child(void)
{
	pid_t pid = fork_child();

	if (!pid)
		for (;;)
			pause();
	return pid;
}

static void end_child(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

static void a_process_is_what_it_says_of_itself(void **state)
{
	struct process *p = open_process(getpid());
	char exe[256] = "";

	assert_true(readlink("/proc/self/exe", exe, sizeof(exe) - 1) > 0);
	assert_int_equal(p->pid, getpid());
	assert_int_equal(p->ppid, getppid());
	assert_string_equal(p->exe_name, exe);
	assert_string_equal(p->comm, "test_process");
	assert_non_null(strstr(p->cmdline, "test_process"));
	assert_int_equal(p->state, 'R');
	assert_true(p->start_ticks > 0);
	assert_true(process_alive(p) && process_same_exe(p));
	process_close(p);
}

static void memory_is_read_up_to_the_first_hole(void **state)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	uint8_t *two = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct process *p = open_process(getpid());
	uint8_t buf[64];
	uint64_t x64;
	uint32_t x32;
	uint8_t x8;

	memcpy(two + page - 16, "\1\2\3\4\5\6\7\10abcdefgh", 16);
	munmap(two + page, page);
	uint64_t at = (uintptr_t)two + page - 16;

	assert_int_equal(process_read(p, at, buf, sizeof(buf)), 16);
	assert_memory_equal(buf, two + page - 16, 16);
	assert_true(process_u64(p, at, &x64) && x64 == 0x0807060504030201ull);
	assert_true(process_u32(p, at, &x32) && x32 == 0x04030201);
	assert_true(process_u8(p, at, &x8) && x8 == 1);
	assert_false(process_u64(p, at + 12, &x64));
	assert_true(process_read(p, (uintptr_t)two + page, buf, 1) < 0);
	process_close(p);
	munmap(two, page);
}

static void unreadable_pieces_do_not_hide_those_after_them(void **state)
{
	enum { N = 1000 };
	static uint64_t source[N], got[N];
	static struct process_piece pieces[N];
	struct process *p = open_process(getpid());

	for (size_t i = 0; i < N; i++) {
		source[i] = i * i;
		pieces[i] = (struct process_piece){
			.addr = i % 7 == 3 ? 8 * i : (uintptr_t)&source[i],
			.buf = &got[i],
			.len = 8,
			.got = 99,
		};
	}
	process_read_many(p, pieces, N);
	for (size_t i = 0; i < N; i++) {
		assert_int_equal(pieces[i].got, i % 7 == 3 ? 0 : 8);
		assert_true(i % 7 == 3 || got[i] == i * i);
	}
	process_close(p);
}

static void the_end_of_a_process_is_noticed(void **state)
{
	pid_t child = start_child();
	struct process *p = open_process(child), *zombie = NULL;
	struct why why = {0};

	assert_true(process_alive(p));
	kill(child, SIGKILL);
	siginfo_t info;
	waitid(P_PID, (id_t)child, &info, WEXITED | WNOWAIT);
	assert_false(process_alive(p));
	assert_int_equal(process_open(child, &zombie, &why), -ENOEXEC);
	assert_non_null(strstr(why.text, "zombie"));
	waitpid(child, NULL, 0);
	assert_int_equal(process_open(child, &zombie, &why), -ESRCH);
	assert_non_null(strstr(why.text, "no process"));
	assert_false(process_same_exe(p));
	process_close(p);
}

static void pids_that_name_no_program_are_refused(void **state)
{
	static const int pids[] = {0, -1, 0x7fffffff};
	struct process *p = NULL;
	struct why why;

	for (size_t i = 0; i < ARRAY_SIZE(pids); i++)
		assert_int_equal(process_open(pids[i], &p, &why), -ESRCH);
	assert_null(p);
}

static void an_exec_is_noticed(void **state)
{
	int go[2];

	assert_int_equal(pipe(go), 0);
	pid_t child = fork_child();

	if (!child) {
		char c;

		if (read(go[0], &c, 1) == 1)
			execlp("sleep", "sleep", "100", NULL);
		_exit(1);
	}
	struct process *p = open_process(child);

	assert_true(process_same_exe(p));
	assert_int_equal(write(go[1], "x", 1), 1);
	bool same = true;

	for (int i = 0; i < 1000 && same; i++) {
		usleep(2000);
		same = process_same_exe(p);
	}
	assert_false(same);
	assert_true(process_alive(p));
	process_close(p);
	end_child(child);
	close(go[0]);
	close(go[1]);
}

struct thread_note {
	uint32_t tid;
	pthread_barrier_t *barrier;
};

static void *note_tid(void *arg)
{
	struct thread_note *note = arg;

	note->tid = (uint32_t)syscall(SYS_gettid);
	pthread_barrier_wait(note->barrier);
	pthread_barrier_wait(note->barrier);
	return NULL;
}

static void threads_are_listed_and_name_their_process(void **state)
{
	pthread_barrier_t barrier;
	pthread_t thread;
	struct thread_note note = {.barrier = &barrier};
	uint32_t *tids;
	size_t n, seen = 0;

	pthread_barrier_init(&barrier, NULL, 2);
	pthread_create(&thread, NULL, note_tid, &note);
	pthread_barrier_wait(&barrier);
	struct process *p = open_process((int)note.tid);

	assert_int_equal(p->pid, getpid());
	assert_int_equal(process_threads(p, &tids, &n), 0);
	for (size_t i = 0; i < n; i++) {
		seen += tids[i] == note.tid || tids[i] == (uint32_t)getpid();
		assert_true(i == 0 || tids[i - 1] < tids[i]);
	}
	assert_int_equal(seen, 2);
	free(tids);
	process_close(p);
	pthread_barrier_wait(&barrier);
	pthread_join(thread, NULL);
	pthread_barrier_destroy(&barrier);
}

static uint64_t own_cpu_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * 1000000000ull + (uint64_t)t.tv_nsec;
}

static void cpu_time_is_that_of_the_kernel_clock(void **state)
{
	struct process *p = open_process(getpid());
	uint64_t start = own_cpu_ns();

	while (own_cpu_ns() - start < 60000000)
		;
	int64_t difference = (int64_t)process_cpu_ns(p) - (int64_t)own_cpu_ns();

	assert_true(difference > -40000000 && difference < 40000000); /* stat counts ticks of 10 ms */
	process_close(p);
}

static const char where[] =
"package main\n"
"import (\"fmt\"; \"os\"; \"reflect\")\n"
"func main() {\n"
"	fmt.Printf(\"%x\\n\", reflect.ValueOf(main).Pointer())\n"
"	os.Stdin.Read(make([]byte, 1))\n"
"}\n";

/* Runs the program, which prints where its main.main is; nm says where the file has it. */
static void check_bias(void **state, const char *name, const char *flags)
{
	CLEANUP(freep) char *program = gobuild(*state, name, where, NULL, flags);
	CLEANUP(freep) char *command = xasprintf("go tool nm %s | awk '$3==\"main.main\"{print $1}'", program);
	CLEANUP(freep) char *vaddr = output_of(command);
	int in[2], out[2];
	char line[32] = "";
	struct why why = {0};

	assert_int_equal(pipe(in) + pipe(out), 0);
	pid_t child = fork_child();

	if (!child) {
		dup2(in[0], 0);
		dup2(out[1], 1);
		execl(program, program, NULL);
		_exit(1);
	}
	assert_true(read(out[0], line, sizeof(line) - 1) > 0);
	unlink(program); /* a deleted program is read all the same */
	struct process *p = open_process(child);
	CLEANUP(image_closep) struct image *im = NULL;

	assert_int_equal(image_open(p->exe_fd, &im, &why), 0);
	assert_int_equal(process_locate(p, im, &why), 0);
	assert_int_equal(strtoull(vaddr, NULL, 16) + p->bias, strtoull(line, NULL, 16));
	assert_non_null(strstr(p->exe_name, " (deleted)"));
	assert_true(process_same_exe(p));
	process_close(p);
	end_child(child);
	for (int i = 0; i < 2; i++) {
		close(in[i]);
		close(out[i]);
	}
}

static void a_program_is_found_where_its_file_says(void **state)
{
	check_bias(state, "where", "");
}

static void a_pie_is_found_where_it_was_loaded(void **state)
{
	check_bias(state, "where_pie", "-buildmode=pie");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_process_is_what_it_says_of_itself),
		cmocka_unit_test(memory_is_read_up_to_the_first_hole),
		cmocka_unit_test(unreadable_pieces_do_not_hide_those_after_them),
		cmocka_unit_test(the_end_of_a_process_is_noticed),
		cmocka_unit_test(pids_that_name_no_program_are_refused),
		cmocka_unit_test(an_exec_is_noticed),
		cmocka_unit_test(threads_are_listed_and_name_their_process),
		cmocka_unit_test(cpu_time_is_that_of_the_kernel_clock),
		cmocka_unit_test(a_program_is_found_where_its_file_says),
		cmocka_unit_test(a_pie_is_found_where_it_was_loaded),
	};

	return cmocka_run_group_tests(tests, gobuild_open, gobuild_clean);
}
