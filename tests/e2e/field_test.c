/* SPDX-License-Identifier: MIT */
/*
 * field_test.c - programs in states that were reported from the field, and what gotrace says of them: C07,
 * C09, C11, C13, C17, C19, C27. tests/tracee/field.c has the programs. C01, C03 and C05 are in
 * blocked_test.c, C21 in quota_test.c, C23 in handoff_test.c, C25 in sched/waiters_test.c and netpoll_view_test.c, C49 in
 * threadmap_test.c.
 */
#include <arpa/inet.h>
#include <net/if.h>
#include <sys/ioctl.h>

#include "rights.h"
#include "sick.h"

#define HOSTS 30
#define LOCKERS 10
#define CONNECTIONS 20
#define EARLY_NS 1000000 /* two clocks that run apart */
#define LATE_NS 10000000 /* interrupts and other guests, since then */

static const char *said;   /* by the gotrace that ran last */
static int to_target = -1; /* its stdin */

static struct program field_start(const char *mode, const char *n, e2e_setup_fn setup)
{
	char *argv[] = { (char *)e2e_path("TRACEE_DIR", "field"), (char *)mode, (char *)n, NULL };
	int in[2], ours = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3);
	struct program p;

	assert_int_equal(pipe2(in, O_CLOEXEC), 0);
	dup2(in[0], STDIN_FILENO);
	close(in[0]);
	p = program_start(argv, setup);
	dup2(ours, STDIN_FILENO);
	close(ours);
	to_target = in[1];
	return p;
}

static void field_ready(struct program *p, const char *mode)
{
	program_expect(p, "");
	if (!strncmp(p->line, "cannot ", 7)) {
		print_message("%s: %s\n", mode, p->line);
		skip();
	}
}

static void field_end(struct program *p)
{
	program_stop(p);
	close(to_target);
}

static void line_send(void)
{
	assert_int_equal(write(to_target, "\n", 1), 1);
}

static void blocked_until(const struct program *p, long n)
{
	char *options[] = { "--json", NULL };

	said = gotrace_until(p->pid, "blocked", options, are_blocked, &n);
}

static const char *hostages(void)
{
	return strstr(said, "\"hostages\":[");
}

static bool are_hostages(const char *json, const void *n)
{
	const char *at = strstr(json, "\"hostages\":[");

	return at && count_of(at, "\"tid\":") == *(const unsigned int *)n;
}

static void hostages_until(const struct program *p, unsigned int n)
{
	char *options[] = { "--json", NULL };

	said = gotrace_until(p->pid, "blocked", options, are_hostages, &n);
}

/* --- C07 --- */

static char resolv[] = "/tmp/field_test.XXXXXX";

/* A network of its own in which the name server never answers, and a resolver that is patient. */
static bool black_hole(void)
{
	struct ifreq lo = { .ifr_name = "lo", .ifr_flags = IFF_UP };
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = htons(53) };
	int fd;

	if (!mounts_own() || unshare(CLONE_NEWNET) < 0)
		return false;
	at.sin_addr.s_addr = htonl(0x7f000035);
	fd = socket(AF_INET, SOCK_DGRAM, 0); /* stays open over the exec */
	return ioctl(fd, SIOCSIFFLAGS, &lo) == 0 &&
	       bind(fd, (struct sockaddr *)&at, sizeof(at)) == 0 &&
	       mount(resolv, "/etc/resolv.conf", NULL, MS_BIND, NULL) == 0;
}

static void test_c07_lookups_in_c_are_named_with_the_call_they_wait_in(void **state)
{
	static const char text[] = "nameserver 127.0.0.53\noptions timeout:30 attempts:1\n";
	int fd = mkstemp(resolv);
	struct program p;

	(void)state;
	assert_int_equal(write(fd, text, sizeof(text) - 1), sizeof(text) - 1);
	assert_int_equal(fchmod(fd, 0644), 0);
	close(fd);
	p = field_start("dns", "30", black_hole);
	program_expect(&p, "ready");
	do
		blocked_until(&p, HOSTS);
	while (count_of(said, "\"text\":\"foreign lookup_abroad: poll([") < HOSTS);
	assert_int_equal(json_number(said, "blocked"), HOSTS);
	assert_int_equal(count_of(said, "->127.0.0.53:53>], 1, "), HOSTS);
	assert_int_equal(count_of(said, "\"function\":\"getaddrinfo\""), HOSTS);
	assert_says(strstr(said, "\"groups\":["),
		    "\"threads\":30,\"call\":\"foreign lookup_abroad\"");
	field_end(&p);
	unlink(resolv);
}

/* --- C09 --- */

static bool are_locked(const char *json, const void *n)
{
	return json_number(json, "locked") == *(const long *)n;
}

/* Its threads that ended, by gotrace growth, which watched while the goroutines did. */
static long gone_at_the_end(const char *mode, long want)
{
	char pid[16], *once[] = { "--json", "--once", NULL };
	char *argv[] = { (char *)getenv("GOTRACE"), "growth", "--json", "-i", "20ms", pid, NULL };
	struct program p = field_start(mode, "10", NULL), g;
	const long lockers = LOCKERS;
	long gone;

	program_expect(&p, "ready");
	gotrace_until(p.pid, "threads", once, are_locked, &lockers);
	snprintf(pid, sizeof(pid), "%d", p.pid);
	g = program_start(argv, NULL);
	program_expect(&g, "{\"type\":\"growth\"");
	line_send();
	program_expect(&p, "ended");
	/* A thread's end is later than its goroutine's. */
	do
		program_expect(&g, "{\"type\":\"growth\"");
	while (json_number(g.line, "gone") < want);
	kill(g.pid, SIGINT);
	program_expect(&g, "{\"type\":\"end\"");
	gone = json_number(strstr(g.line, "\"seen\":"), "threads_gone");
	assert_int_equal(e2e_wait(g.pid), 0);
	close(g.out);
	field_end(&p);
	return gone;
}

static void test_c09_who_ends_locked_takes_the_thread_along(void **state)
{
	(void)state;
	assert_int_equal(gone_at_the_end("locked", LOCKERS), LOCKERS);
}

static void test_c09_who_unlocks_gives_it_back(void **state)
{
	(void)state;
	assert_int_equal(gone_at_the_end("unlocked", 0), 0);
}

/* --- C11 --- */

static bool are_waiting(const char *json, const void *n)
{
	return json_number(strstr(json, "\"waiting\":"), "goroutines") >= *(const long *)n;
}

static void test_c11_connections_in_the_netpoller_block_nobody(void **state)
{
	struct program p = field_start("sockets", "20", NULL);
	char *once[] = { "--json", "--once", NULL };
	const long n = CONNECTIONS;

	(void)state;
	program_expect(&p, "ready");
	gotrace_until(p.pid, "netpoll", once, are_waiting, &n);
	blocked_until(&p, 0);
	assert_int_equal(json_number(said, "blocked"), 0);
	assert_says(said, "\"findings\":[]");
	field_end(&p);
}

static void test_c11_connections_made_blocking_are_named_with_their_peer(void **state)
{
	struct program p = field_start("dup", "20", NULL);
	const char *finding;

	(void)state;
	program_expect(&p, "ready");
	blocked_until(&p, CONNECTIONS);
	assert_int_equal(json_number(said, "blocked"), CONNECTIONS);
	assert_int_equal(count_of(said, "\"text\":\"read("), CONNECTIONS);
	assert_int_equal(count_of(said, "\"name\":\"tcp 127.0.0.1:"), CONNECTIONS);
	finding = strstr(said, "\"findings\":[");
	assert_says(finding, "\"note\":\"socket in blocking mode\",\"threads\":20");
	/* Closing one ends its read all the same. */
	line_send();
	program_expect(&p, "closed");
	do
		blocked_until(&p, 0);
	while (json_number(said, "blocked") == CONNECTIONS);
	assert_int_equal(json_number(said, "blocked"), CONNECTIONS - 1);
	field_end(&p);
}

/* --- C13 --- */

static void test_c13_a_deadline_on_a_pty_works_or_is_refused(void **state)
{
	struct program p = field_start("pty", "1", NULL);

	(void)state;
	field_ready(&p, "pty");
	assert_string_equal(p.line, "pty: pollable -110"); /* ETIMEDOUT */
	program_expect(&p, "pty: plain -22");              /* EINVAL */
	program_expect(&p, "ready");
	blocked_until(&p, 1);
	assert_int_equal(json_number(said, "blocked"), 1);
	assert_says(said, "\"text\":\"read(");
	assert_says(said, "/ptmx>, 1)\"");
	field_end(&p);
}

/* --- C17 --- */

static void test_c17_reads_that_the_runtime_does_not_know_hold_ps(void **state)
{
	char *options[] = { NULL };

	(void)state;
	for (unsigned int n = 1; n <= 2; n++) {
		struct program p = field_start("raw", n == 1 ? "1" : "2", NULL);

		program_expect(&p, "ready");
		hostages_until(&p, n);
		assert_int_equal(json_number(said, "blocked"), 0);
		assert_int_equal(count_of(hostages(), "\"text\":\"read("), n);
		assert_int_equal(count_of(hostages(), "<pipe:["), n);
		assert_int_equal(json_number(said, "retakes"), 0);
		gotrace_until(p.pid, "blocked", options, has_text,
			      n == 1 ? "run nobody: 1 of 2 Ps;"
				     : "run nobody: 2 of 2 Ps, nothing can run;");
		field_end(&p);
	}
}

/* --- C19 --- */

/* The address that will be touched, as the target says. */
static unsigned long field_page(struct program *p, const char *mode)
{
	unsigned long page = 0;

	field_ready(p, mode);
	assert_int_equal(sscanf(p->line, "page %lx", &page), 1);
	return page;
}

/*
 * Each for as long as by its own stamp, as near as the kernel's clocks are; and Ps are held for all of that.
 */
static void assert_held_since(const int64_t touched_ns[2])
{
	int64_t now_ns = json_number(said, "time_ns"), held_ns = 0;
	const char *row = hostages();

	for (int i = 0; i < 2; i++) {
		int64_t for_ns, since_ns;

		row = strstr(row, "\"for_ns\":");
		for_ns = json_number(row, "for_ns");
		since_ns = now_ns - for_ns;
		held_ns += for_ns;
		/* The longest first. */
		assert_in_range(since_ns - touched_ns[i] + EARLY_NS, 0,
				EARLY_NS + LATE_NS + (now_ns - touched_ns[i]) / 50);
		row++;
	}
	assert_int_equal(json_number(said, "held_ns"), held_ns);
}

static void test_c19_a_page_that_does_not_come_holds_ps(void **state)
{
	struct program p = field_start("fault", "2", NULL);
	int64_t touched_ns[2], first_ns;
	unsigned long page;
	char text[160];

	(void)state;
	page = field_page(&p, "fault");
	for (int i = 0; i < 2; i++) {
		program_expect(&p, "touched ");
		touched_ns[i] = strtoll(p.line + strlen("touched "), NULL, 10);
	}
	first_ns = touched_ns[touched_ns[1] < touched_ns[0]];
	touched_ns[1] = touched_ns[0] + touched_ns[1] - first_ns;
	touched_ns[0] = first_ns;
	hostages_until(&p, 2);
	assert_held_since(touched_ns);
	assert_int_equal(json_number(said, "blocked"), 0);
	snprintf(text, sizeof(text),
		 "\"text\":\"page fault at 0x%lx</memfd:field-page (deleted)>\"", page);
	assert_int_equal(count_of(hostages(), text), 2);
	snprintf(text, sizeof(text),
		 "\"fault\":{\"address\":%lu,\"mapping\":\"/memfd:field-page (deleted)\"}", page);
	assert_int_equal(count_of(hostages(), text), 2);
	assert_int_equal(count_of(hostages(), "\"wait_point\":\"handle_userfault\""), 2);
	field_end(&p);
}

static void test_c19_within_a_foreign_call_it_holds_none(void **state)
{
	struct program p = field_start("fault_call", "2", NULL);
	unsigned long page;
	char text[160];

	(void)state;
	page = field_page(&p, "fault_call");
	/* One that is in a real page fault just now is no finding. */
	do
		blocked_until(&p, 2);
	while (!strstr(said, "\"hostages\":[]"));
	assert_int_equal(json_number(said, "blocked"), 2);
	snprintf(text, sizeof(text),
		 "\"text\":\"foreign page_touch: page fault at 0x%lx<anonymous memory>\"", page);
	assert_int_equal(count_of(said, text), 2);
	field_end(&p);
}

/* --- C27 --- */

static void test_c27_goroutines_that_always_yield_starve_nobody_and_the_poller_is_named(void **state)
{
	char pid[16];
	char *argv[] = { (char *)getenv("GOTRACE"), "netpoll", "--json", "-i", "50ms",
			 "--max-overhead",          "0%",      pid,      NULL };
	struct program p = field_start("yield", "100", NULL), g;
	long waits = 0, by_scheduler = 0;
	const char *interval;

	(void)state;
	program_expect(&p, "ready");
	snprintf(pid, sizeof(pid), "%d", p.pid);
	g = program_start(argv, NULL);
	while (waits < 200) {
		program_expect(&g, "{\"type\":\"tick\"");
		interval = strstr(g.line, "\"interval\":{");
		assert_non_null(interval);
		waits += json_number(interval, "waits");
		by_scheduler += json_number(interval, "scheduler");
	}
	/* The queue is never empty, and still sysmon need not come to the rescue. */
	assert_true(2 * by_scheduler > waits);
	kill(g.pid, SIGINT);
	e2e_wait(g.pid);
	close(g.out);
	field_end(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_c07_lookups_in_c_are_named_with_the_call_they_wait_in),
		cmocka_unit_test(test_c09_who_ends_locked_takes_the_thread_along),
		cmocka_unit_test(test_c09_who_unlocks_gives_it_back),
		cmocka_unit_test(test_c11_connections_in_the_netpoller_block_nobody),
		cmocka_unit_test(test_c11_connections_made_blocking_are_named_with_their_peer),
		cmocka_unit_test(test_c13_a_deadline_on_a_pty_works_or_is_refused),
		cmocka_unit_test(test_c17_reads_that_the_runtime_does_not_know_hold_ps),
		cmocka_unit_test(test_c19_a_page_that_does_not_come_holds_ps),
		cmocka_unit_test(test_c19_within_a_foreign_call_it_holds_none),
		cmocka_unit_test(
			test_c27_goroutines_that_always_yield_starve_nobody_and_the_poller_is_named),
	};

	namespaces_need();
	e2e_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
