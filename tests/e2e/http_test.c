/* SPDX-License-Identifier: MIT */
/*
 * The http example under wrk with a thousand connections: what waits for the network holds no
 * thread.
 *
 * Three witnesses: gotrace; /proc, with its lists of threads, descriptors and the call that a
 * thread sleeps in; wrk, with its books. A thread that the kernel has put off its CPU in the middle
 * of a write loses its P like one that sleeps there, and is `blocked` by the words of gotrace: so
 * the test asks whether any *sleeps*, which the network must never bring about, however loaded the
 * machine is. Counts of threads are taken with probes, all else without, for the kernel may need
 * seconds to remove probes on a loaded machine. wrk is held by SIGSTOP for exact counts, and ended
 * by SIGINT when enough was seen.
 */
#include "e2e.h"

#include <dirent.h>
#include <limits.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#define PROCS 2
#define PROCS_TEXT "2"
#define A_FEW 10 /* sysmon, one that polls, and those put off their CPU inside a call */
#define CONNS 1000
#define CONNS_TEXT "1000"
#define FILES_WANTED 4096 /* descriptors: a connection each, a file each, ours */
#define FILE_BYTES 65536  /* sendfile takes longer than sysmon waits */
#define FILE_THREADS_MAX (CONNS / 10)
#define ROWS 25
#define STABLE 10
#define SETTLE_ROWS 500

static char folder[64];

/* --- given ------------------------------------------------------------------------------------ */

static bool is_with_many_files(void)
{
	struct rlimit r;

	if (getrlimit(RLIMIT_NOFILE, &r) != 0)
		return false;
	if (r.rlim_cur < FILES_WANTED)
		r.rlim_cur = r.rlim_max < FILES_WANTED ? r.rlim_max : FILES_WANTED;
	return r.rlim_cur >= FILES_WANTED && setrlimit(RLIMIT_NOFILE, &r) == 0 &&
	       setenv("GOMAXPROCS", PROCS_TEXT, 1) == 0;
}

static struct program http_start(void)
{
	char *argv[] = {
		(char *)e2e_path("EXAMPLES_DIR", "http"), "--port", "0", "--dir", folder, NULL
	};
	struct program p = program_start(argv, is_with_many_files);

	program_expect(&p, "listening on");
	return p;
}

/* Ended by us: its own time never comes, and a connection held by SIGSTOP is no timeout. */
static struct program wrk_start(const struct program *http, const char *path)
{
	static char connections[] = "-c" CONNS_TEXT;
	char url[256], *argv[] = {
		(char *)"/usr/bin/wrk", "-t1", connections, "-d100s", "--timeout", "100s", url, NULL
	};
	const char *port = strrchr(http->line, ':');

	assert_non_null(port);
	snprintf(url, sizeof(url), "http://127.0.0.1:%ld%s", strtol(port + 1, NULL, 10), path);
	return program_start(argv, is_with_many_files);
}

/* Up to two more options; the second may be NULL. */
static struct program rows_start(pid_t target, char *more, char *yet_more)
{
	char pid[16], *argv[] = { getenv("GOTRACE"), "threads", pid, "--json", "-i", "20ms", more,
				  yet_more,          NULL };

	snprintf(pid, sizeof(pid), "%d", target);
	return program_start(argv, NULL);
}

/* --- the witnesses ---------------------------------------------------------------------------- */

static long tasks(pid_t pid)
{
	char path[64];
	struct stat st;

	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	assert_int_equal(stat(path, &st), 0);
	return (long)st.st_nlink - 2;
}

/* Connections, and the listener. */
static long sockets(pid_t pid)
{
	char path[64], target[32];
	struct dirent *e;
	long n = 0;
	DIR *d;

	snprintf(path, sizeof(path), "/proc/%d/fd", pid);
	d = opendir(path);
	assert_non_null(d);
	while ((e = readdir(d)))
		n += readlinkat(dirfd(d), e->d_name, target, sizeof(target)) > 7 &&
		     !strncmp(target, "socket:", 7);
	closedir(d);
	return n;
}

/* The call that a thread sleeps in; -1: it does not sleep, or is no more. */
static long slept_in(int task_dir, const char *tid)
{
	char path[NAME_MAX + 16], text[64];
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "%s/syscall", tid);
	fd = openat(task_dir, path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	text[n > 0 ? n : 0] = 0;
	return text[0] >= '0' && text[0] <= '9' ? strtol(text, NULL, 10) : -1;
}

static bool is_of_the_network(long nr)
{
	static const long nrs[] = { SYS_read,     SYS_write,   SYS_readv,   SYS_writev,
				    SYS_recvfrom, SYS_recvmsg, SYS_sendto,  SYS_sendmsg,
				    SYS_accept,   SYS_accept4, SYS_connect, SYS_sendfile };

	for (size_t i = 0; i < sizeof(nrs) / sizeof(nrs[0]); i++)
		if (nr == nrs[i])
			return true;
	return false;
}

/* The kernel's word: threads asleep in a call that the network could make wait. */
static int sleepers_in_the_network(pid_t pid)
{
	char path[64];
	struct dirent *e;
	int n = 0;
	DIR *d;

	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	d = opendir(path);
	assert_non_null(d);
	while ((e = readdir(d)))
		n += e->d_name[0] != '.' && is_of_the_network(slept_in(dirfd(d), e->d_name));
	closedir(d);
	return n;
}

static long long now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000ll + ts.tv_nsec;
}

/*
 * Ticks are 20 ms apart: waiting for the next one is waiting for the target to have had time. Those
 * of before this call, which nobody has read yet, do not count.
 */
static void expect_parked(struct program *g, long want, int times)
{
	long long began = now_ns();
	int stable = 0;

	for (int i = 0; i < SETTLE_ROWS && stable < times; i++) {
		program_expect(g, "{\"type\":\"tick\"");
		if (json_number(g->line, "time_ns") >= began)
			stable = json_number(g->line, "netpoll_parked") == want ? stable + 1 : 0;
	}
	if (stable < times)
		fail_msg("netpoll_parked never stayed at %ld: %s", want, g->line);
}

static void expect_connected(struct program *g, pid_t http)
{
	for (int i = 0; i < SETTLE_ROWS && sockets(http) != CONNS + 1; i++)
		program_expect(g, "{\"type\":\"tick\"");
	assert_int_equal(sockets(http), CONNS + 1);
}

/* A tick, and what /proc counts a little later: threads may be born or gone meanwhile. */
struct comparison {
	long threads, in_proc, changes;
	long long proc_ns; /* when /proc was counted, at the latest */
};

static long changes_of(const char *tick)
{
	long made = json_number(tick, "threads_made");

	return made < 0 ? 0 : made + json_number(tick, "threads_gone");
}

static void compare(struct comparison *c, const char *tick, pid_t http)
{
	if (c->proc_ns != 0) {
		c->changes += changes_of(tick);
		if (json_number(tick, "time_ns") < c->proc_ns)
			return;
		if (labs(c->threads - c->in_proc) > c->changes)
			fail_msg("gotrace counted %ld threads, /proc %ld, and %ld came or went",
				 c->threads, c->in_proc, c->changes);
	}
	c->threads = json_number(tick, "threads");
	c->changes = changes_of(tick);
	c->in_proc = tasks(http);
	c->proc_ns = now_ns();
}

/* Returns the most threads seen. */
static long watch_threads(struct program *g, pid_t http, bool may_sleep)
{
	struct comparison c = { 0 };
	long most = 0;

	for (int i = 0; i < ROWS; i++) {
		program_expect(g, "{\"type\":\"tick\"");
		compare(&c, g->line, http);
		most = json_number(g->line, "threads") > most ? json_number(g->line, "threads")
							      : most;
		most = c.in_proc > most ? c.in_proc : most;
		if (!may_sleep)
			assert_int_equal(sleepers_in_the_network(http), 0);
	}
	return most;
}

/* --- by thread -------------------------------------------------------------------------------- */

/* A row of --by-m, cut out; NULL behind the last. */
static const char *row_next(const char **at)
{
	static char row[2048];
	const char *begin = strstr(*at, "{\"m\":"), *end;
	size_t n;

	if (!begin)
		return NULL;
	end = strstr(begin + 1, "{\"m\":");
	n = end ? (size_t)(end - begin) : strlen(begin);
	assert_true(n < sizeof(row));
	memcpy(row, begin, n);
	row[n] = 0;
	*at = begin + n;
	return row;
}

static bool is_blocked(const char *row)
{
	return strstr(row, "\"state\":\"blocked\"") != NULL;
}

static bool is_asleep(const char *row)
{
	return strstr(row, "\"kernel_state\":\"S\"") || strstr(row, "\"kernel_state\":\"D\"");
}

/* Which thread has been in which call: `since` tells two calls of one thread apart. */
struct stay {
	long tid;
	long long since_ns;
};

struct stays {
	int n;
	struct stay stay[FILE_THREADS_MAX];
};

static bool has_stay(const struct stays *s, struct stay want)
{
	for (int i = 0; i < s->n; i++)
		if (s->stay[i].tid == want.tid && s->stay[i].since_ns == want.since_ns)
			return true;
	return false;
}

/*
 * A row's two halves, the runtime's word and the kernel's, are not of one instant: a thread that
 * comes back between them is `blocked` and asleep on its way to idle. One that sleeps in a call is
 * so twice.
 */
static void expect_no_sleeper_twice(struct program *g)
{
	struct stays before = { 0 }, now;
	const char *at, *row;

	for (int i = 0; i < ROWS; i++) {
		program_expect(g, "{\"type\":\"by_m\"");
		now.n = 0;
		for (at = g->line; (row = row_next(&at)) != NULL;) {
			struct stay s = { json_number(row, "tid"),
					  json_number(g->line, "time_ns") -
						  json_number(row, "for_ns") };

			if (!is_blocked(row) || !is_asleep(row) || now.n == FILE_THREADS_MAX)
				continue;
			if (has_stay(&before, s))
				fail_msg("blocked and asleep twice: %s", row);
			now.stay[now.n++] = s;
		}
		before = now;
	}
}

/* Rows of blocked threads that name the call. */
static void expect_blocked_in(struct program *g, const char *name)
{
	const char *at, *row;
	char want[64];

	snprintf(want, sizeof(want), "\"name\":\"%s\"", name);
	for (int i = 0; i < SETTLE_ROWS; i++) {
		program_expect(g, "{\"type\":\"by_m\"");
		for (at = g->line; (row = row_next(&at)) != NULL;)
			if (is_blocked(row) && strstr(row, want))
				return;
	}
	fail_msg("no thread was ever blocked in %s", name);
}

/* --- then ------------------------------------------------------------------------------------- */

static void end_well(struct program *g)
{
	kill(g->pid, SIGINT);
	program_expect(g, "{\"type\":\"end\"");
	if (!strstr(g->line, "\"law_broken\":null") || json_number(g->line, "lost") != 0)
		fail_msg("it ended badly: %s", g->line);
	assert_int_equal(e2e_wait(g->pid), 0);
	close(g->out);
}

/* Errors have lines of their own in wrk's report, before the rate. */
static void expect_served_without_error(struct program *wrk)
{
	bool has_requests = false;

	/* To its first thread: one that just goes on after SIGCONT would pass it to another. */
	assert_int_equal(syscall(SYS_tgkill, wrk->pid, wrk->pid, SIGINT), 0);
	for (;;) {
		program_expect(wrk, "");
		if (strstr(wrk->line, "Socket errors") || strstr(wrk->line, "Non-2xx"))
			fail_msg("wrk says: %s", wrk->line);
		if (strstr(wrk->line, " requests in "))
			has_requests = strtol(wrk->line, NULL, 10) > 0;
		if (!strncmp(wrk->line, "Requests/sec:", 13))
			break;
	}
	assert_true(has_requests);
	assert_int_equal(e2e_wait(wrk->pid), 0);
	close(wrk->out);
}

static void test_a_thousand_connections_hold_no_thread(void **state)
{
	struct program http = http_start(), wrk, g, by_m;
	long most;

	(void)state;
	g = rows_start(http.pid, NULL, NULL);
	wrk = wrk_start(&http, "/");
	expect_connected(&g, http.pid);

	most = watch_threads(&g, http.pid, false);
	end_well(&g);
	by_m = rows_start(http.pid, "--sample", "--by-m");
	expect_no_sleeper_twice(&by_m);
	end_well(&by_m);
	kill(wrk.pid, SIGSTOP);
	g = rows_start(http.pid, "--sample", NULL);
	expect_parked(&g, CONNS + 1, STABLE);

	print_message("%ld threads at most\n", most);
	assert_int_equal(json_number(strstr(g.line, "\"procs\""), "all"), PROCS);
	assert_true(most <= PROCS + A_FEW);
	assert_int_equal(json_number(g.line, "netpoll_parked"), sockets(http.pid));
	assert_int_equal(json_number(g.line, "blocked"), 0);
	kill(wrk.pid, SIGCONT);
	expect_served_without_error(&wrk);
	expect_parked(&g, 1, 1);
	end_well(&g);
	assert_true(program_lives(&http));
	program_stop(&http);
}

static void test_files_block_threads_but_not_one_a_connection(void **state)
{
	struct program http = http_start(), wrk, g, by_m;
	long most;

	(void)state;
	g = rows_start(http.pid, NULL, NULL);
	wrk = wrk_start(&http, "/file/zeros");
	expect_connected(&g, http.pid);

	most = watch_threads(&g, http.pid, true);
	end_well(&g);
	by_m = rows_start(http.pid, "--sample", "--by-m");
	expect_blocked_in(&by_m, "sendfile");
	end_well(&by_m);

	print_message("%ld threads at most\n", most);
	assert_true(most <= FILE_THREADS_MAX);
	expect_served_without_error(&wrk);
	assert_true(program_lives(&http));
	program_stop(&http);
}

static int folder_make(void **state)
{
	char path[96];
	int fd;

	(void)state;
	strcpy(folder, "/tmp/http_test.XXXXXX");
	if (!mkdtemp(folder))
		return -1;
	snprintf(path, sizeof(path), "%s/zeros", folder);
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	return fd < 0 || ftruncate(fd, FILE_BYTES) != 0 ? -1 : close(fd);
}

static int folder_remove(void **state)
{
	char path[96];

	(void)state;
	snprintf(path, sizeof(path), "%s/zeros", folder);
	return unlink(path) | rmdir(folder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_thousand_connections_hold_no_thread),
		cmocka_unit_test(test_files_block_threads_but_not_one_a_connection),
	};

	e2e_init();
	if (!getenv("EXAMPLES_DIR"))
		e2e_skip("EXAMPLES_DIR is not set");
	if (access("/usr/bin/wrk", X_OK) != 0)
		e2e_skip("wrk is not installed");
	if (!is_with_many_files())
		e2e_skip("not even 4096 descriptors are allowed (ulimit -Hn)");
	return cmocka_run_group_tests(tests, folder_make, folder_remove);
}
