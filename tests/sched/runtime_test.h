/* SPDX-License-Identifier: MIT */
/*
 * runtime_test.h - a test whose body is the main goroutine of a runtime of its own.
 *
 * grt_run works once per process: each test forks first. The child collects the probes it asks for
 * and checks with EXPECT, which names what it found; the parent reports the child's output and status.
 */
#ifndef RUNTIME_TEST_H
#define RUNTIME_TEST_H

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <grt/grt.h>

#define CHILD_SECONDS 60
#define CHILD_SECONDS_LONG 1800 /* GRT_LONG: as many rounds as a field case asks for */
#define CHILD_OUTPUT 65536
#define CHILD_SKIPS 77

struct child {
	int status; /* as of waitpid */
	char output[CHILD_OUTPUT];
};

#define EXPECT(cond, ...)                                                                   \
	do {                                                                                \
		if (!(cond)) {                                                              \
			fprintf(stderr, "%s:%d: expected %s: ", __FILE__, __LINE__, #cond); \
			fprintf(stderr, __VA_ARGS__);                                       \
			fputc('\n', stderr);                                                \
			_exit(1);                                                           \
		}                                                                           \
	} while (0)
#define EXPECT_EQ(got, want)                                                           \
	do {                                                                           \
		long long got_ = (long long)(got), want_ = (long long)(want);          \
		EXPECT(got_ == want_, "%s is %lld, expected %lld", #got, got_, want_); \
	} while (0)

/* Threads of this process, as the kernel lists them. */
static inline int count_threads(void)
{
	DIR *d = opendir("/proc/self/task");
	int n = 0;

	EXPECT(d, "/proc");
	for (struct dirent *e; (e = readdir(d));)
		n += e->d_name[0] != '.';
	closedir(d);
	return n;
}

static inline void child_drain(int fd, struct child *ret)
{
	size_t len = 0;
	ssize_t n;

	while (len < sizeof(ret->output) - 1 &&
	       (n = read(fd, ret->output + len, sizeof(ret->output) - 1 - len)) > 0)
		len += (size_t)n;
	ret->output[len] = '\0';
	close(fd);
}

/* Run body() in a child under a time limit; collect what it writes to stdout and stderr. */
static inline void child_run(struct child *ret, void (*body)(void))
{
	int out[2];
	pid_t pid;

	assert_int_equal(pipe(out), 0);
	fflush(NULL);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		close(out[0]);
		dup2(out[1], STDOUT_FILENO);
		dup2(out[1], STDERR_FILENO);
		close(out[1]);
#ifndef __SANITIZE_ADDRESS__
		signal(SIGSEGV, SIG_DFL); /* cmocka's handler would make a failed test of it */
		signal(SIGBUS, SIG_DFL);
#endif
		alarm(getenv("GRT_LONG") ? CHILD_SECONDS_LONG : CHILD_SECONDS);
		body();
		fflush(NULL);
		_exit(0);
	}
	close(out[1]);
	child_drain(out[0], ret);
	assert_int_equal(waitpid(pid, &ret->status, 0), pid);
}

/* A child that ends with CHILD_SKIPS cannot tell, and has said why: that is a skip, never a pass. */
static inline void child_must_pass(void (*body)(void))
{
	static struct child c;

	child_run(&c, body);
	if (c.status == 0)
		return;
	fprintf(stderr, "%s\n", c.output); /* cmocka would cut it */
	if (WIFEXITED(c.status) && WEXITSTATUS(c.status) == CHILD_SKIPS)
		skip();
	fail_msg("child ended with status 0x%x", (unsigned)c.status);
}

/* RUNTIME_TEST(name, procs): the block is the main goroutine on `procs` Ps. */
#define RUNTIME_TEST(name, nprocs)                                               \
	static void name##_body(void);                                           \
	static int name##_main(void *arg)                                        \
	{                                                                        \
		(void)arg;                                                       \
		name##_body();                                                   \
		return 0;                                                        \
	}                                                                        \
	static void name##_child(void)                                           \
	{                                                                        \
		struct grt_options o = { .size = sizeof(o), .procs = (nprocs) }; \
                                                                                 \
		EXPECT_EQ(grt_run_opts(&o, name##_main, NULL), 0);               \
	}                                                                        \
	static void name(void **state)                                           \
	{                                                                        \
		(void)state;                                                     \
		child_must_pass(name##_child);                                   \
	}                                                                        \
	static void name##_body(void)

/* Records of the sink, by kind. */
#define KIND(name) (1ull << GRT_K_##name)
#define COLLECT_MAX 20000

struct collected {
	size_t n;
	struct grt_rec rec[COLLECT_MAX];
};

static inline void collect(struct collected *c)
{
	c->n += (size_t)grt_sink_read(c->rec + c->n, COLLECT_MAX - c->n);
}

static inline size_t collected_count(const struct collected *c, unsigned kind)
{
	size_t found = 0;

	for (size_t i = 0; i < c->n; i++)
		found += c->rec[i].kind == kind;
	return found;
}

/* The k-th record of a kind, counted from 0; NULL if there are fewer. */
static inline const struct grt_rec *collected_find(const struct collected *c, unsigned kind,
						   size_t k)
{
	for (size_t i = 0; i < c->n; i++)
		if (c->rec[i].kind == kind && k-- == 0)
			return &c->rec[i];
	return NULL;
}

/* Under thread sanitizer a process has one thread more. */
#ifdef __SANITIZE_THREAD__
#define SANITIZER_THREADS 1
#else
#define SANITIZER_THREADS 0
#endif

void sched_dump(void); /* runtime/schedtrace.h */

static inline void await_failed(void)
{
	sched_dump();
	fflush(NULL);
}

/*
 * Wait for an event of another goroutine: yields until cond holds, ends the child after 20 s, and says what
 * it then means.
 */
#define AWAIT_OR(cond, ...)                                      \
	do {                                                     \
		int64_t until_ = grt_now() + 20000000000ll;      \
		while (!(cond)) {                                \
			if (grt_now() >= until_)                 \
				await_failed();                  \
			EXPECT(grt_now() < until_, __VA_ARGS__); \
			grt_yield();                             \
		}                                                \
	} while (0)
#define AWAIT(cond) AWAIT_OR(cond, "still not so after 20 s")

/* A pipe whose read end blocks the thread that reads it. */
struct blocking_pipe {
	int fd[2];
};

static inline struct blocking_pipe blocking_pipe_new(void)
{
	struct blocking_pipe p;

	EXPECT_EQ(pipe(p.fd), 0);
	return p;
}

#endif
