/* SPDX-License-Identifier: MIT */
/* lifecycle_test.c - start, end, last words, locked threads, threads that leave. */
#include "runtime_test.h"

#include <regex.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include "../../runtime/sched.h"

#define TRACES 4 /* seen of the scheduler before its process ends */
#define SLEEPER "status=4(sleep)"
#define UNUSED_ID 54321 /* a user without processes */

static struct child child;
static int counter;

static void assert_ends_with_2_and_says(const char *words)
{
	assert_true(WIFEXITED(child.status));
	if (WEXITSTATUS(child.status) != 2 || !strstr(child.output, words))
		fail_msg("status 0x%x, said:\n%s\nexpected: %s", (unsigned)child.status,
			 child.output, words);
}

static int return_argument(void *arg)
{
	return *(int *)arg;
}

static void run_twice(void)
{
	int value = 41;

	EXPECT_EQ(grt_go(NULL, NULL), -EAGAIN);
	EXPECT_EQ(grt_run(return_argument, &value), 41);
	EXPECT_EQ(grt_run(return_argument, &value), -EBUSY);
}

static void grt_run_returns_the_value_of_main_and_runs_once(void **state)
{
	(void)state;
	child_must_pass(run_twice);
}

static void block_for_ever(void *arg)
{
	struct blocking_pipe p = blocking_pipe_new();
	char c;

	(void)arg;
	__atomic_add_fetch(&counter, 1, __ATOMIC_SEQ_CST);
	grt_read(p.fd[0], &c, 1);
}

RUNTIME_TEST(main_waits_for_nobody, 2)
{
	for (int i = 0; i < 7; i++)
		EXPECT_EQ(grt_go(block_for_ever, NULL), 0);
	AWAIT(__atomic_load_n(&counter, __ATOMIC_SEQ_CST) == 7);
}

#ifndef __SANITIZE_THREAD__
static grt_mutex never = GRT_MUTEX_INIT;

static int lock_twice(void *arg)
{
	(void)arg;
	grt_mutex_lock(&never);
	return grt_mutex_lock(&never);
}

static void deadlock(void)
{
	grt_run(lock_twice, NULL);
}

/* Not under thread sanitizer: its own thread is one that may call in, and there is no verdict. */
static void all_asleep_is_a_deadlock(void **state)
{
	(void)state;
	child_run(&child, deadlock);
	assert_ends_with_2_and_says("fatal error: all goroutines are asleep - deadlock!\n\n"
				    "goroutine 1 [sync.Mutex.Lock]:");
}
#endif

static int exceed_threads(void *arg)
{
	grt_set_max_threads(20);
	for (int i = 0; i < 40; i++)
		grt_go(block_for_ever, NULL);
	for (;;)
		grt_sleep(1000000);
	return arg != NULL;
}

static void too_many_threads(void)
{
	grt_run(exceed_threads, NULL);
}

static void more_threads_than_the_limit_end_the_process_as_in_go(void **state)
{
	(void)state;
	child_run(&child, too_many_threads);
	assert_ends_with_2_and_says("runtime: program exceeds 20-thread limit\n"
				    "fatal error: thread exhaustion");
}

static int block_many(void *arg)
{
	for (int i = 0; i < 40; i++)
		grt_go(block_for_ever, arg);
	for (;;)
		grt_sleep(1000000);
	return 0;
}

/* Root is exempt from the limit, and so is whoever may override it. */
static void no_more_threads(void)
{
	struct rlimit limit = { 0, 0 };

	EXPECT_EQ(setgid(UNUSED_ID), 0);
	EXPECT_EQ(setuid(UNUSED_ID), 0);
	limit.rlim_cur = limit.rlim_max = 10;
	EXPECT_EQ(setrlimit(RLIMIT_NPROC, &limit), 0);
	grt_run(block_many, NULL);
}

static void a_thread_that_cannot_be_made_ends_the_process_as_in_go(void **state)
{
	(void)state;
	if (getuid() != 0)
		skip(); /* another user's processes would count as well */
	child_run(&child, no_more_threads);
	assert_ends_with_2_and_says("runtime: may need to increase max user processes (ulimit -u)\n"
				    "fatal error: newosproc");
	assert_non_null(strstr(child.output, "runtime: failed to create new OS thread (have "));
	assert_non_null(strstr(child.output, " already; errno=11)"));
}

static int tell_procs(void *arg)
{
	return (int)grt_procs() + (arg != NULL);
}

static void procs_from_environment(void)
{
	setenv("GOMAXPROCS", "13", 1);
	EXPECT_EQ(grt_run(tell_procs, NULL), 13);
}

static void procs_from_affinity(void)
{
	cpu_set_t one;

	unsetenv("GOMAXPROCS");
	EXPECT_EQ(sched_getaffinity(0, sizeof(one), &one), 0);
	for (int cpu = 0, kept = 0; cpu < CPU_SETSIZE; cpu++)
		if (CPU_ISSET(cpu, &one) && kept++)
			CPU_CLR(cpu, &one);
	EXPECT_EQ(sched_setaffinity(0, sizeof(one), &one), 0);
	EXPECT_EQ(grt_run(tell_procs, NULL), 1);
}

static void gomaxprocs_is_what_the_environment_or_the_cpus_allow(void **state)
{
	(void)state;
	child_must_pass(procs_from_environment);
	child_must_pass(procs_from_affinity);
}

static int call_in_forked_child(void *arg)
{
	pid_t pid = fork();
	int status;

	(void)arg;
	if (pid == 0) {
		grt_go(block_for_ever, NULL);
		_exit(0);
	}
	EXPECT_EQ(waitpid(pid, &status, 0), pid);
	return WEXITSTATUS(status);
}

static void fork_and_call(void)
{
	_exit(grt_run(call_in_forked_child, NULL));
}

static void a_call_in_a_forked_child_ends_it_with_a_message(void **state)
{
	(void)state;
	child_run(&child, fork_and_call);
	assert_ends_with_2_and_says("grt_ call in the child of a fork");
}

static void sleep_for_ever(void *unused)
{
	(void)unused;
	grt_sleep(INT64_MAX / 2);
}

/* Lines of a text that are whole and have this word. */
static int lines_with(const char *text, const char *word)
{
	int n = 0;

	for (const char *at = text; (at = strstr(at, word)) && (at = strchr(at, '\n'));)
		n++;
	return n;
}

struct traced {
	int fd;            /* what is written to stderr */
	const char *until; /* seen in a line */
};

/* Stays until there are traces enough, with what is to be seen in them; whole lines go to stdout. */
static int stay_for_traces(void *arg)
{
	static char text[CHILD_OUTPUT];
	struct traced *t = arg;
	size_t len = 0;

	EXPECT_EQ(grt_fd_pollable(t->fd), 0);
	EXPECT_EQ(grt_go(sleep_for_ever, NULL), 0);
	while (lines_with(text, "SCHED ") < TRACES || !lines_with(text, t->until)) {
		ssize_t n = grt_read(t->fd, text + len, sizeof(text) - 1 - len);

		EXPECT(n > 0, "%zd after %zu bytes", n, len);
		len += (size_t)n;
	}
	*(strrchr(text, '\n') + 1) = '\0';
	fputs(text, stdout);
	return 0;
}

static void trace(const char *how, const char *until)
{
	int fd[2], was = dup(STDERR_FILENO);
	struct traced t = { .until = until };

	setenv("GODEBUG", how, 1);
	setenv("GOMAXPROCS", "2", 1);
	EXPECT_EQ(pipe(fd), 0);
	EXPECT_EQ(dup2(fd[1], STDERR_FILENO), STDERR_FILENO);
	t.fd = fd[0];
	EXPECT_EQ(grt_run(stay_for_traces, &t), 0);
	dup2(was, STDERR_FILENO);
}

static void trace_brief(void)
{
	trace("schedtrace=10", "SCHED ");
}

static void trace_detail(void)
{
	trace("schedtrace=10,scheddetail=1", SLEEPER);
}

static void assert_each_line_matches(const char *const *patterns, size_t n)
{
	size_t lines = 0;

	for (char *line = strtok(child.output, "\n"); line; line = strtok(NULL, "\n"), lines++) {
		bool found = false;

		for (size_t i = 0; i < n && !found; i++) {
			regex_t re;

			assert_int_equal(regcomp(&re, patterns[i], REG_EXTENDED | REG_NOSUB), 0);
			found = regexec(&re, line, 0, NULL, 0) == 0;
			regfree(&re);
		}
		if (!found)
			fail_msg("not as Go prints it: \"%s\"", line);
	}
	assert_true(lines >= TRACES);
}

static void schedtrace_prints_gos_line(void **state)
{
	const char *const patterns[] = {
		"^SCHED [0-9]+ms: gomaxprocs=2 idleprocs=[0-2] threads=[0-9]+ spinningthreads=[0-9]+ "
		"needspinning=[01] idlethreads=[0-9]+ runqueue=[0-9]+ \\[ [0-9]+ [0-9]+ \\] "
		"schedticks=\\[ [0-9]+ [0-9]+ \\]$",
	};

	(void)state;
	child_run(&child, trace_brief);
	assert_int_equal(child.status, 0);
	assert_true(strncmp(child.output, "SCHED 0ms: ", 11) == 0);
	assert_each_line_matches(patterns, 1);
}

static void scheddetail_prints_gos_tables(void **state)
{
	const char *const patterns[] = {
		"^SCHED [0-9]+ms: gomaxprocs=2 idleprocs=[0-2] threads=[0-9]+ spinningthreads=[0-9]+ "
		"needspinning=[01] idlethreads=[0-9]+ runqueue=[0-9]+ gcwaiting=false "
		"nmidlelocked=[0-9]+ stopwait=0 sysmonwait=(true|false)$",
		"^  P[01]: status=[01] schedtick=[0-9]+ syscalltick=[0-9]+ m=(nil|[0-9]+) "
		"runqsize=[0-9]+ gfreecnt=[0-9]+ timerslen=[0-9]+$",
		"^  M[0-9]+: p=(nil|[0-9]+) curg=(nil|[0-9]+) mallocing=0 throwing=0 preemptoff= "
		"locks=[0-9]+ dying=0 spinning=(true|false) blocked=(true|false) "
		"lockedg=(nil|[0-9]+)$",
		"^  G[0-9]+: status=[0-9]+\\([a-zA-Z. ]*\\) m=(nil|[0-9]+) lockedm=(nil|[0-9]+)$",
	};

	(void)state;
	child_run(&child, trace_detail);
	assert_int_equal(child.status, 0);
	assert_non_null(strstr(child.output, SLEEPER));
	assert_each_line_matches(patterns, 4);
}

static void stay_on_my_thread(void *arg)
{
	long tid;

	(void)arg;
	EXPECT_EQ(grt_lock_os_thread(), 0);
	tid = syscall(SYS_gettid);
	for (int i = 0; i < 200; i++) {
		grt_yield();
		EXPECT_EQ(syscall(SYS_gettid), tid);
	}
	EXPECT_EQ(grt_unlock_os_thread(), 0);
	EXPECT_EQ(grt_unlock_os_thread(), -EINVAL);
	__atomic_add_fetch(&counter, 1, __ATOMIC_SEQ_CST);
}

RUNTIME_TEST(i18_a_locked_goroutine_stays_on_its_thread, 2)
{
	for (int i = 0; i < 10; i++)
		EXPECT_EQ(grt_go(stay_on_my_thread, NULL), 0);
	AWAIT(__atomic_load_n(&counter, __ATOMIC_SEQ_CST) == 10);
}

static void end_locked(void *arg)
{
	EXPECT_EQ(grt_lock_os_thread(), 0);
	__atomic_store_n((long *)arg, syscall(SYS_gettid), __ATOMIC_SEQ_CST);
}

RUNTIME_TEST(a_goroutine_that_ends_locked_takes_its_thread_along, 2)
{
	long tid = 0;

	EXPECT_EQ(grt_go(end_locked, &tid), 0);
	AWAIT(__atomic_load_n(&tid, __ATOMIC_SEQ_CST) != 0);
	AWAIT(syscall(SYS_tgkill, getpid(), tid, 0) == -1);
}

static void block_once(void *arg)
{
	struct blocking_pipe *p = arg;
	char c;

	__atomic_add_fetch(&counter, 1, __ATOMIC_SEQ_CST);
	EXPECT_EQ(grt_read(p->fd[0], &c, 1), 1);
	__atomic_sub_fetch(&counter, 1, __ATOMIC_SEQ_CST);
}

static int burst_then_idle(void *arg)
{
	struct blocking_pipe p = blocking_pipe_new();
	int before = count_threads();
	int64_t until;

	(void)arg;
	for (int i = 0; i < 50; i++)
		EXPECT_EQ(grt_go(block_once, &p), 0);
	AWAIT(count_threads() >= 50);
	for (int i = 0; i < 50; i++)
		EXPECT_EQ(write(p.fd[1], "x", 1), 1);
	until = grt_now() + 20000000000ll;
	/* GOMAXPROCS and the idle ones that stay */
	while (count_threads() > before + 2 + 4) {
		EXPECT(grt_now() < until, "%d threads are still there", count_threads());
		grt_sleep(10000000);
	}
	AWAIT(__atomic_load_n(&counter, __ATOMIC_SEQ_CST) == 0);
	return 0;
}

static void short_idle_time(void)
{
	struct grt_options o = { .size = sizeof(o), .procs = 2, .idle_thread_ns = 20000000 };

	EXPECT_EQ(grt_run_opts(&o, burst_then_idle, NULL), 0);
}

static void idle_threads_leave(void **state)
{
	(void)state;
	child_must_pass(short_idle_time);
}

static void sleep_and_count(void *arg)
{
	int64_t before = grt_now(), ns = (int64_t)(intptr_t)arg;

	EXPECT_EQ(grt_sleep(ns), 0);
	EXPECT(grt_now() - before >= ns, "its timer was early: it slept %ld of %ld ns",
	       (long)(grt_now() - before), (long)ns);
	__atomic_add_fetch(&counter, 1, __ATOMIC_SEQ_CST);
}

RUNTIME_TEST(sleepers_wake_not_before_their_time, 2)
{
	for (intptr_t i = 0; i < 500; i++)
		EXPECT_EQ(grt_go(sleep_and_count, (void *)(i * 100000)), 0);
	AWAIT(__atomic_load_n(&counter, __ATOMIC_SEQ_CST) == 500);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(grt_run_returns_the_value_of_main_and_runs_once),
		cmocka_unit_test(main_waits_for_nobody),
#ifndef __SANITIZE_THREAD__
		cmocka_unit_test(all_asleep_is_a_deadlock),
#endif
		cmocka_unit_test(more_threads_than_the_limit_end_the_process_as_in_go),
		cmocka_unit_test(a_thread_that_cannot_be_made_ends_the_process_as_in_go),
		cmocka_unit_test(gomaxprocs_is_what_the_environment_or_the_cpus_allow),
		cmocka_unit_test(a_call_in_a_forked_child_ends_it_with_a_message),
		cmocka_unit_test(schedtrace_prints_gos_line),
		cmocka_unit_test(scheddetail_prints_gos_tables),
		cmocka_unit_test(i18_a_locked_goroutine_stays_on_its_thread),
		cmocka_unit_test(a_goroutine_that_ends_locked_takes_its_thread_along),
		cmocka_unit_test(idle_threads_leave),
		cmocka_unit_test(sleepers_wake_not_before_their_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
