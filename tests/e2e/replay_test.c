/* SPDX-License-Identifier: MIT */
/*
 * replay_test.c - the law of recordings: a replay shows what a live model saw, tick by tick and to the
 * byte, in every report. One live source feeds a model and a file; the file feeds another model.
 */
#define _GNU_SOURCE
#include "../../tools/diag.h"
#include "../../tools/source/file.h"
#include "../../tools/source/source.h"
#include "../../tools/target/target.h"
#include "../../tools/view/blocked.h"
#include "../../tools/view/growth_view.h"
#include "../../tools/view/view.h"
#include "e2e.h"

#define TICKS 7
#define REPORTS 6
#define MS_NS 1000000ll

static bool has_pprof_failed;
static const struct growth_opts growth_opts = { .ret_pprof_failed = &has_pprof_failed };
static const struct blocked_opts blocked_opts = { .nr = BLOCKED_ANY_NR, .fd = BLOCKED_ANY_FD };
static const struct {
	const struct report *report;
	const void *opts;
} reports[REPORTS] = {
	{ &report_threads, NULL },          { &report_by_m, NULL },
	{ &report_handoff, NULL },          { &report_netpoll, NULL },
	{ &report_blocked, &blocked_opts }, { &report_growth, &growth_opts },
};

/* A model, and all that is shown of it. */
struct side {
	struct model *m;
	struct view *view[REPORTS];
	FILE *out;
	char *text;
	size_t bytes;
	struct file_writer *w; /* NULL: a replay */
};

static void hear(void *arg, const struct grt_rec *rec)
{
	struct side *b = arg;

	if (b->w)
		file_writer_put(b->w, rec);
	model_apply(b->m, rec);
}

static void side_init(struct side *b)
{
	static const struct view_head head = {
		.pid = 1, .comm = "x", .runtime = "libgrt", .armed = 1, .wanted = 1
	};

	b->m = model_new();
	b->out = open_memstream(&b->text, &b->bytes);
	assert_true(b->m && b->out);
	for (int i = 0; i < REPORTS; i++) {
		struct view_opts opts = { .format = VIEW_JSON, .report_opts = reports[i].opts };

		b->view[i] = view_new(b->out, reports[i].report, &opts);
		assert_non_null(b->view[i]);
		view_begin(b->view[i], b->m, &head);
	}
}

static int64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000 * MS_NS + ts.tv_nsec;
}

static void side_tick(struct side *b)
{
	model_tick(b->m, model_snap(b->m)->settle_ns);
	if (b->w)
		file_writer_tick(b->w);
	for (int i = 0; i < REPORTS; i++)
		view_row(b->view[i], b->m);
}

static void side_end(struct side *b)
{
	static const struct view_end end = { .why = VIEW_ASKED };

	model_tick(b->m, UINT64_MAX);
	for (int i = 0; i < REPORTS; i++) {
		view_totals(b->view[i], b->m, &end);
		view_free(b->view[i]);
	}
	model_free(b->m);
	fclose(b->out);
}

/* Ticks to the end, or so many. */
static void side_run(struct side *b, struct source *s, int ticks)
{
	int n = 0, rc = 0;

	side_init(b);
	while (rc == 0 && n < ticks) {
		rc = s->ops->snapshot(s, hear, b);
		if (rc < 0)
			break;
		side_tick(b);
		if (++n < ticks)
			rc = s->ops->wait(s, now_ns() + 20 * MS_NS, hear, b);
	}
	side_end(b);
	s->ops->close(s);
	if (n != TICKS)
		fail_msg("%d ticks, want %d; it ended with %d", n, TICKS, rc);
}

/* Records at `path` what `program` does. Returns the screens that were made meanwhile. */
static char *live(struct program *p, const char *path, const struct source_opts *want)
{
	struct file_about about = { .pid = p->pid, .comm = "x", .runtime = "libgrt" };
	struct side b = { 0 };
	struct file_written done;
	struct target *t;
	struct source *s;
	int code = 0;

	t = target_open(p->pid, &code);
	assert_non_null(t);
	s = source_live_open(t, want, &code);
	assert_non_null(s);
	b.w = file_writer_open(file_create(path, -1, true), &about, 0, &code);
	assert_non_null(b.w);
	side_run(&b, s, TICKS);
	assert_int_equal(file_writer_close(b.w, GRT_END_ASKED, &done), 0);
	assert_int_equal(done.snapshots, TICKS);
	target_close(t);
	return b.text;
}

static void assert_replays_to(const char *path, const char *want)
{
	struct side b = { 0 };
	int code = 0;
	struct source *s = source_file_open(path, &code);

	assert_non_null(s);
	side_run(&b, s, INT16_MAX);
	assert_string_equal(b.text, want);
	free(b.text);
}

static void judge(char *const argv[], const char *ready, const struct source_opts *want)
{
	char path[] = "/tmp/replay_test.XXXXXX";
	int fd = mkstemp(path);
	struct program p = program_start(argv, NULL);
	char *text;

	assert_true(fd >= 0);
	program_expect(&p, ready);
	text = live(&p, path, want);
	program_stop(&p);
	assert_non_null(strstr(text, "\"type\":\"tick\""));
	assert_replays_to(path, text);
	free(text);
	unlink(path);
	close(fd);
}

static const struct source_opts everything = {
	.kinds = ~0ull,
	.want_switches = true,
	.want_names = true,
	.want_stacks = true,
	.want_goroutines = true,
	.want_limits = true,
};

static void blocked_threads_replay_as_they_were_seen(void **state)
{
	char *argv[] = { (char *)e2e_path("EXAMPLES_DIR", "growth"), "--seconds", "60", NULL };

	(void)state;
	judge(argv, "ready: 97 blocked in FIFOs", &everything);
}

static void parked_goroutines_replay_as_they_were_seen(void **state)
{
	char *argv[] = { (char *)e2e_path("TRACEE_DIR", "netwaits"), "parked", "200", NULL };

	(void)state;
	judge(argv, "ready: ", &everything);
}

static void what_was_only_sampled_replays_as_it_was_seen(void **state)
{
	static const struct source_opts sampled = { .sample_only = true, .want_names = true };
	char *argv[] = { (char *)e2e_path("EXAMPLES_DIR", "growth"), "--seconds", "60", NULL };

	(void)state;
	judge(argv, "ready: 97 blocked in FIFOs", &sampled);
}

static void put(struct file_writer *w, uint64_t t, uint16_t kind, uint64_t a, uint64_t b,
		uint64_t d)
{
	struct grt_rec rec = { .time_ns = t, .kind = kind, .arg = { a, b, 0, d, 0, 0 } };

	file_writer_put(w, &rec);
}

/* All of it says t, though looking took 10 ms; the runtime has counted so many hand-offs. */
static void put_snapshot(struct file_writer *w, uint64_t t, uint64_t handoffs)
{
	put(w, t, GRT_K_SNAP_BEGIN, 1, 1, t - 10 * MS_NS);
	put(w, t, GRT_K_SNAP_SCHED, 1, 0, 0);
	put(w, t, GRT_K_SNAP_P, 0, 0, 0);
	put(w, t, GRT_K_SNAP_COUNT, handoffs, 0, 0);
	put(w, t, GRT_K_SNAP_END, 0, 0, 10 * MS_NS);
}

static void put_handoffs(struct file_writer *w, uint64_t t, int n)
{
	for (int i = 0; i < n; i++)
		put(w, t + (uint64_t)i, GRT_K_handoff, 0, 5, GRT_HANDOFF_LOCKED);
}

/* Those that happened during the last snapshot stand behind it. */
static void who_stops_early_misses_nothing_that_was_counted(void **state)
{
	static const struct file_about about = { .pid = 1,
						 .level = 1,
						 .armed = 9,
						 .wanted = 9,
						 .interval_ns = 1000 * MS_NS,
						 .layout = 1,
						 .comm = "x",
						 .runtime = "libgrt",
						 .why_not_higher = "" };
	char path[] = "/tmp/replay_test.XXXXXX";
	char *argv[] = { "gotrace", "handoff", path, "--json", "-n", "3", NULL };
	uint64_t t = 5000 * MS_NS;
	int rc = mkstemp(path);
	struct file_writer *w = file_writer_open(rc, &about, 0, &rc);
	struct file_written done;
	struct outcome o;

	(void)state;
	assert_non_null(w);
	put_snapshot(w, t, 0);
	put_snapshot(w, t += 1000 * MS_NS, 0);
	put_handoffs(w, t + 500 * MS_NS, 20);
	put_snapshot(w, t += 1000 * MS_NS, 20 + 70);
	put_handoffs(w, t - 5 * MS_NS, 70);
	put_handoffs(w, t + 500 * MS_NS, 13);
	put_snapshot(w, t + 1000 * MS_NS, 20 + 70 + 13);
	assert_int_equal(file_writer_close(w, GRT_END_ASKED, &done), 0);

	gotrace_run(&o, NULL, -1, argv);
	assert_code(&o, EXIT_FINE);
	assert_says(strstr(o.out, "\"type\":\"end\""), "\"law_broken\":null");
	assert_int_equal(json_number(strstr(o.out, "\"seen\":"), "handoffs"), 20 + 70);
	unlink(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(blocked_threads_replay_as_they_were_seen),
		cmocka_unit_test(parked_goroutines_replay_as_they_were_seen),
		cmocka_unit_test(what_was_only_sampled_replays_as_it_was_seen),
		cmocka_unit_test(who_stops_early_misses_nothing_that_was_counted),
	};

	e2e_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
