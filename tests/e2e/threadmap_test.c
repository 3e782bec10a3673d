/* SPDX-License-Identifier: MIT */
/*
 * threadmap_test.c - C49: threads that block and never come back in order leave nothing behind in the maps
 * of bpf/events.bpf.c, and what a map has no room for is told as lost.
 *
 * The maps are those of this process: a source's, or none. GRT_LONG=1: 100,000 threads.
 */
#define _GNU_SOURCE
#include "source.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "../../bpf/events.h"

#define ENTRIES 1024
#define TOO_FEW 4
#define CROWD 1200 /* more than the target's limit at first, and the margin */
#define FDS 256
#define LONG_SETTLE_NS (600 * SECOND)
/* tests/tracee/leavers.c: one in so many ends by a signal; calls it makes at its end. */
#define KILLED_EVERY 100
#define AGAIN 100

static const char *leavers(void)
{
	return getenv("GRT_LONG") ? "100000" : "20000";
}

/* A descriptor of our map of that name. */
static int map_find(const char *name)
{
	for (int fd = 0; fd < FDS; fd++) {
		struct bpf_map_info info = { 0 };
		unsigned int bytes = sizeof(info);

		/* Of a program or a link, too, there is information; it is shorter, and has no such name. */
		if (bpf_obj_get_info_by_fd(fd, &info, &bytes) == 0 && bytes == sizeof(info) &&
		    !strncmp(info.name, name, sizeof(info.name)))
			return fd;
	}
	fail_msg("no map %s", name);
	return -1;
}

static unsigned int entries(int map)
{
	uint64_t key = 0;
	unsigned int n = 0;

	for (void *before = NULL; bpf_map_get_next_key(map, before, &key) == 0; before = &key)
		n++;
	return n;
}

/* Each key is a thread that lives. */
static bool are_alive(int map, pid_t pid)
{
	uint64_t key = 0;
	char path[64];

	for (void *before = NULL; bpf_map_get_next_key(map, before, &key) == 0; before = &key) {
		snprintf(path, sizeof(path), "/proc/%d/task/%u", pid, (uint32_t)key);
		if (access(path, F_OK) < 0)
			return false;
	}
	return true;
}

static uint64_t counted(int counters, uint32_t index)
{
	int cpus = libbpf_num_possible_cpus();
	uint64_t values[cpus], sum = 0;

	assert_int_equal(bpf_map_lookup_elem(counters, &index, values), 0);
	for (int i = 0; i < cpus; i++)
		sum += values[i];
	return sum;
}

/* What the runtime counted, of the last snapshot. */
struct books {
	struct seen seen;
	struct grt_rec count;
};

static void on_books(void *arg, const struct grt_rec *r)
{
	struct books *b = arg;

	on_record(&b->seen, r);
	if (r->kind == GRT_K_SNAP_COUNT)
		b->count = *r;
}

static void books_read(struct fixture *f, struct books *b)
{
	b->seen = f->seen;
	assert_int_equal(f->s->ops->snapshot(f->s, on_books, b), 0);
	f->seen = b->seen;
}

/* Until the target says so; what comes meanwhile is taken, so that the ring does not fill. */
static void hear_until(struct fixture *f, const char *line)
{
	struct pollfd p = { .fd = f->p.out, .events = POLLIN };
	int64_t until = now_ns() + LONG_SETTLE_NS;

	while (poll(&p, 1, 0) == 0 && now_ns() < until)
		f->s->ops->wait(f->s, now_ns() + 1000000, on_record, &f->seen);
	program_expect(&f->p, line);
}

static struct source *source_of(struct target *t, uint32_t map_entries)
{
	struct source_opts o = { .kinds = ALL_KINDS,
				 .want_switches = true,
				 .map_entries = map_entries };

	return source_with(t, &o);
}

/* What the runtime counted is what the probes hit, and what is missing was told as lost. */
static void expect_books(struct fixture *f, const struct books *b)
{
	struct source_status st = status_of(f->s);
	int counters = map_find("counters");

	assert_int_equal(counted(counters, BPF_COUNT_KIND0 + GRT_K_handoff), b->count.arg[0]);
	assert_int_equal(counted(counters, BPF_COUNT_KIND0 + GRT_K_retake), b->count.arg[1]);
	assert_int_equal(counted(counters, BPF_COUNT_KIND0 + GRT_K_entersyscallblock),
			 b->count.arg[3]);
	assert_in_range(st.probe_hits - f->seen.records, 0, st.lost[GRT_LOSS_RING]);
	assert_in_range(b->count.arg[3] - f->seen.blocks, 0, st.lost[GRT_LOSS_RING]);
	assert_int_equal(st.lost[GRT_LOSS_MAP], 0);
	assert_int_equal(st.lost[GRT_LOSS_MEMORY], 0);
}

static void test_c49_threads_that_never_come_back_fill_no_map(void **state)
{
	struct books before = { 0 }, after = { 0 };
	char left[32];
	struct fixture f;
	int thread_m, asleep;
	uint64_t n;

	(void)state;
	given_at_gate(&f, "leavers", leavers());
	f.s = source_of(f.t, ENTRIES);
	thread_m = map_find("thread_m");
	asleep = map_find("asleep");
	AWAIT(&f, (books_read(&f, &before), f.seen.rows > 0)); /* BPF is told of those */

	/* when many more threads than there is room for have come and gone */
	snprintf(left, sizeof(left), "left: %s", leavers());
	assert_int_equal(write(f.gate, "", 1), 1);
	hear_until(&f, left);
	program_expect(&f.p, "again: ");

	/* then the maps have those that live */
	AWAIT(&f, are_alive(thread_m, f.p.pid) && entries(asleep) <= entries(thread_m));
	assert_true(entries(thread_m) > 0);
	assert_in_range(entries(thread_m), 1, tasks(f.p.pid));

	/* and every hand-off was counted, the last ones, too */
	books_read(&f, &after);
	n = strtoull(leavers(), NULL, 10);
	assert_int_equal(after.count.arg[3], n - n / KILLED_EVERY + AGAIN);
	expect_books(&f, &after);
	end(&f);
}

static void test_c49_a_map_that_is_too_small_is_told_as_lost(void **state)
{
	struct fixture f;

	(void)state;
	given_at_gate(&f, "leavers", "200");
	f.s = source_of(f.t, TOO_FEW);

	assert_int_equal(write(f.gate, "", 1), 1);
	hear_until(&f, "left: 200");

	AWAIT(&f, (snapshot_fits(&f), status_of(f.s).lost[GRT_LOSS_MAP] > 0));
	assert_true(entries(map_find("thread_m")) <= TOO_FEW);
	assert_true(entries(map_find("asleep")) <= TOO_FEW);
	end(&f);
}

/* The target's own limit made the maps; then it allows itself more. */
static void test_c49_a_command_whose_map_was_too_small_exits_with_3(void **state)
{
	char pid[16], crowd[16],
		*argv[] = {
			(char *)getenv("GOTRACE"), "handoff", "--json", "-i", "50ms", pid, NULL
		};
	struct program g;
	struct fixture f;

	(void)state;
	snprintf(crowd, sizeof(crowd), "crowd=%d", CROWD);
	given_at_gate(&f, "leavers", crowd);
	snprintf(pid, sizeof(pid), "%d", f.p.pid);
	g = program_start(argv, NULL);
	program_expect(&g, "{\"type\":\"tick\"");

	assert_int_equal(write(f.gate, "", 1), 1);
	program_expect(&f.p, "crowd: ");
	do
		program_expect(&g, "{\"type\":\"tick\"");
	while (strstr(g.line, "\"lost\":0"));

	kill(g.pid, SIGINT);
	assert_int_equal(e2e_wait(g.pid), EXIT_LOST);
	close(g.out);
	end(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_c49_threads_that_never_come_back_fill_no_map),
		cmocka_unit_test(test_c49_a_map_that_is_too_small_is_told_as_lost),
		cmocka_unit_test(test_c49_a_command_whose_map_was_too_small_exits_with_3),
	};

	source_tests_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
