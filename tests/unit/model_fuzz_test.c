/* SPDX-License-Identifier: MIT */
/*
 * model_fuzz_test.c - records that no process makes, as a damaged recording may hold them: the
 * model survives, stays within bounds, and what the reports on hand-offs and waits make of it is
 * valid JSON. Seeded: each run is the same.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "records.h"
#include "screen.h"

#define SEEDS 12
#define RECORDS 5000
#define T0 (1000 * SEC_NS)

static uint64_t seed;

static uint64_t random_next(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed;
}

/* Mostly small, so that records meet each other; sometimes anything. */
static uint64_t random_arg(void)
{
	uint64_t r = random_next();

	switch (r % 16) {
	case 0:
		return ~0ull;
	case 1:
		return random_next();
	case 2:
		return 0;
	case 3:
		return random_next() % 4096;
	default:
		return r >> 8 & 7;
	}
}

static uint16_t random_kind(void)
{
	static const uint16_t often[] = {
		GRT_K_retake,       GRT_K_handoff,     GRT_K_handoff_done, GRT_K_exitsyscall_slow,
		GRT_K_SWITCH_OUT,   GRT_K_netpoll_run, GRT_K_SNAP_G,       GRT_K_SNAP_M,
		GRT_K_SNAP_BEGIN,   GRT_K_SNAP_END,    GRT_K_SNAP_COUNT,   GRT_K_entersyscallblock,
		GRT_K_entersyscall, GRT_K_exitsyscall, GRT_K_TEXT,         GRT_K_SNAP_SCHED,
	};
	uint64_t r = random_next();

	return r % 8 ? often[r / 8 % (sizeof(often) / sizeof(often[0]))] : (uint16_t)(r >> 16);
}

static struct grt_rec random_rec(uint64_t t)
{
	struct grt_rec rec = { .time_ns = t, .tid = (uint32_t)random_arg(), .kind = random_kind() };

	for (int i = 0; i < GRT_REC_ARGS; i++)
		rec.arg[i] = random_arg();
	/* Snapshots that hold together now and then: else none would ever be looked at. */
	if (rec.kind == GRT_K_SNAP_END && random_next() % 2)
		rec.arg[0] = 0;
	if (rec.kind == GRT_K_SNAP_M)
		rec.arg[2] = random_next() & 0xffffffffffff000full;
	return rec;
}

static void show(const struct model *m, const struct report *r, enum view_format format, FILE *out)
{
	static const struct view_head head = { .pid = 1,
					       .comm = "x",
					       .runtime = "libgrt",
					       .armed = 9,
					       .wanted = 9,
					       .interval_ns = SEC_NS };
	const struct view_end e = { .why = VIEW_ASKED };
	struct view *v = view_new(out, r, &(struct view_opts){ .format = format, .columns = 80 });

	assert_non_null(v);
	view_begin(v, m, &head);
	if (model_has_snapshot(m))
		view_row(v, m);
	view_totals(v, m, &e);
	view_free(v);
}

static void live_through(FILE *handoff, FILE *netpoll)
{
	static struct screen text;
	struct model *m = model_new();
	uint64_t t = T0;
	char why[256];

	assert_non_null(m);
	for (int i = 0; i < RECORDS; i++) {
		struct grt_rec rec = random_rec(t - random_next() % (2 * MODEL_WINDOW_NS));

		model_apply(m, &rec);
		t += random_next() % MS_NS;
		if (random_next() % 64 == 0)
			model_tick(m, t);
	}
	model_tick(m, UINT64_MAX);
	model_law_broken(m, why, sizeof(why));
	show(m, &report_handoff, VIEW_JSON, handoff);
	show(m, &report_netpoll, VIEW_JSON, netpoll);
	text.out = open_memstream(&text.text, &text.bytes);
	show(m, &report_handoff, VIEW_TEXT, text.out);
	show(m, &report_netpoll, VIEW_TEXT, text.out);
	fclose(text.out);
	assert_true(longest_line(text.text) <= 80);
	free(text.text);
	model_free(m);
}

static bool fits(const char *report, const char *json_path)
{
	char path[] = "/tmp/model_fuzz_schema.XXXXXX";
	FILE *out = fdopen(mkstemp(path), "w");
	bool ok;

	assert_non_null(out);
	assert_true(schema_print(report, out));
	fclose(out);
	ok = schema_file_holds(path, json_path);
	unlink(path);
	return ok;
}

static void whatever_comes_is_survived_and_shown(void **state)
{
	char handoff_path[] = "/tmp/model_fuzz.XXXXXX", netpoll_path[] = "/tmp/model_fuzz.XXXXXX";
	FILE *handoff = fdopen(mkstemp(handoff_path), "w");
	FILE *netpoll = fdopen(mkstemp(netpoll_path), "w");

	(void)state;
	assert_true(handoff && netpoll);
	for (uint64_t i = 1; i <= SEEDS; i++) {
		seed = i * 0x9e3779b97f4a7c15ull;
		live_through(handoff, netpoll);
	}
	fclose(handoff);
	fclose(netpoll);
	if (schema_can_judge()) {
		assert_true(fits("handoff", handoff_path));
		assert_true(fits("netpoll", netpoll_path));
	}
	unlink(handoff_path);
	unlink(netpoll_path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(whatever_comes_is_survived_and_shown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
