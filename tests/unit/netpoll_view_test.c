/* SPDX-License-Identifier: MIT */
/*
 * netpoll_view_test.c - the report of `gotrace netpoll`: waits by poller and by descriptor, who
 * waits now, a counter that differs; compared with tests/golden, and with its schema.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "scene.h"
#include "screen.h"

#define US 1000ull

static void put_g(struct model *m, uint64_t t, uint64_t id, uint64_t fd, uint64_t mode,
		  uint64_t since_ns)
{
	rec_apply(m, t, GRT_K_SNAP_G, id, GRT_G_WAITING | mode << 16, fd, since_ns, 0, 0);
}

/* 27 goroutines: two share a direction, one writes; `counter` is what the runtime says. */
static void snapshot(struct model *m, uint64_t t, uint64_t counter)
{
	rec_apply(m, t, GRT_K_SNAP_BEGIN, 1, 1, 0, t, 0, 0);
	rec_apply(m, t, GRT_K_SNAP_SCHED, 2, 0, 30, counter, 0, 0);
	for (uint64_t i = 0; i < 24; i++)
		put_g(m, t, 10 + i, 10 + i, GRT_MODE_READ, t - (i + 1) * 10 * MS_NS);
	put_g(m, t, 40, 10, GRT_MODE_WRITE, t - 4 * SEC_NS);
	put_g(m, t, 41, 50, GRT_MODE_READ, t - 10);
	put_g(m, t, 42, 50, GRT_MODE_READ, t - 99);
	rec_apply(m, t, GRT_K_SNAP_G, 43, GRT_G_RUNNING, ~0ull, 0, 1, 0);
	rec_apply(m, t, GRT_K_SNAP_END, 0, 0, 0, 0, 0, 0);
	model_tick(m, t);
}

static void waits(struct model *m, uint64_t t)
{
	static const struct {
		uint64_t n, fd, by, parked_ns, queued_ns;
	} all[] = {
		{ 97, 10, GRT_POLL_IDLE_M, 1200 * US, 4 * US },
		{ 31, 11, GRT_POLL_SCHEDULER, 300 * US, 30 * US },
		{ 3, 11, GRT_POLL_SYSMON, 12 * MS_NS, 900 * US },
		{ 1, 12, GRT_POLL_IDLE_M, GRT_NO_ID, 2 * US },
	};

	for (size_t k = 0; k < sizeof(all) / sizeof(all[0]); k++)
		for (uint64_t i = 0; i < all[k].n; i++)
			rec_apply(m, t + i, GRT_K_netpoll_run, 1, all[k].fd, GRT_MODE_READ,
				  all[k].by, all[k].parked_ns, all[k].queued_ns);
	for (uint64_t fd = 60; fd < 90; fd++)
		rec_apply(m, t + fd, GRT_K_netpoll_run, 1, fd, GRT_MODE_READ, GRT_POLL_IDLE_M,
			  50 * US, 3 * US);
}

static void show(struct screen *s, struct view *v, const struct view_head *h, uint64_t counter)
{
	const struct view_end e = { .why = VIEW_EXITED, .rows = 2, .observed_ns = SEC_NS };

	assert_non_null(v);
	rec_text(s->model, GRT_TEXT_FD, 10, "tcp 127.0.0.1:8080->127.0.0.1:50001");
	rec_text(s->model, GRT_TEXT_FD, 11, "unix /run/\033[2Jevil");
	snapshot(s->model, SCENE_T0, 26);
	view_begin(v, s->model, h);
	view_row(v, s->model);
	if (h->armed)
		waits(s->model, SCENE_T0 + SEC_NS / 2);
	snapshot(s->model, SCENE_T0 + SEC_NS, counter);
	view_row(v, s->model);
	view_totals(v, s->model, &e);
	view_free(v);
	fflush(s->out);
}

static void show_text(unsigned int columns, const struct view_head *h, uint64_t counter,
		      const char *golden)
{
	struct screen s;

	screen_open(&s);
	show(&s, text_new(&s, &report_netpoll, columns, 0), h, counter);
	assert_true(longest_line(s.text) <= columns);
	assert_null(strchr(s.text, '\033'));
	screen_is(&s, golden);
}

static void tables_fit_80_columns(void **state)
{
	(void)state;
	show_text(80, &scene_head, 26, "netpoll_80.txt");
}

static void on_40_columns_they_say_what_has_no_room(void **state)
{
	(void)state;
	show_text(40, &scene_head, 26, "netpoll_40.txt");
}

static void without_probes_who_waits_is_still_known(void **state)
{
	(void)state;
	show_text(80, &scene_head_sampled, 26, "netpoll_level_0.txt");
}

/* C25: "waiting" comes from the goroutines; a counter that differs is told, and not believed. */
static void a_counter_that_differs_is_told(void **state)
{
	struct screen s;

	(void)state;
	screen_open(&s);
	show(&s, text_new(&s, &report_netpoll, 200, 0), &scene_head, 0xffffffff);
	fclose(s.out);
	model_free(s.model);
	assert_non_null(strstr(s.text, "waiting: 27 goroutines on 25 descriptors"));
	assert_non_null(strstr(s.text, "counter differs: 4294967295, where 26 was"));
	free(s.text);
}

static void shed_now(struct model *m, uint64_t t, uint32_t groups)
{
	rec_apply(m, t, GRT_K_SNAP_BEGIN, 1, 1, 0, t, 0, 0);
	rec_apply(m, t, GRT_K_SNAP_SCHED, 2, 0, 30, 0, 0, 0);
	rec_apply(m, t, GRT_K_SNAP_COST, 1, 1, 1, 1, 1, groups);
	rec_apply(m, t, GRT_K_SNAP_END, 0, 0, 0, 0, 0, 0);
	model_tick(m, t);
}

/* What happened while probes were off is not known: no number is made of a part of it. */
static void an_interval_without_probes_has_no_numbers(void **state)
{
	struct screen s;
	struct view *v;

	(void)state;
	screen_open(&s);
	v = text_new(&s, &report_netpoll, 80, 0);
	snapshot(s.model, SCENE_T0, 26);
	view_begin(v, s.model, &scene_head);
	for (uint64_t i = 1; i <= 4; i++) {
		shed_now(s.model, SCENE_T0 + i * SEC_NS, i == 2 ? GRT_WARM : 0);
		view_row(v, s.model);
	}
	view_free(v);
	fclose(s.out);
	model_free(s.model);
	assert_non_null(strstr(s.text, "    0     0     0     0      0         0      0     -"));
	assert_non_null(strstr(s.text, "    0     0     0     ?      ?         ?      ?     ?"));
	free(s.text);
}

static void show_json(const struct view_head *h, const char *golden)
{
	struct screen s;

	screen_open(&s);
	show(&s, json_new(&s, &report_netpoll), h, 26);
	screen_is(&s, golden);
	if (schema_can_judge())
		assert_true(golden_fits("netpoll", golden));
}

static void json_has_the_same_content(void **state)
{
	(void)state;
	show_json(&scene_head, "netpoll.json");
}

static void json_without_probes_has_nulls(void **state)
{
	(void)state;
	show_json(&scene_head_sampled, "netpoll_level_0.json");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tables_fit_80_columns),
		cmocka_unit_test(on_40_columns_they_say_what_has_no_room),
		cmocka_unit_test(without_probes_who_waits_is_still_known),
		cmocka_unit_test(a_counter_that_differs_is_told),
		cmocka_unit_test(an_interval_without_probes_has_no_numbers),
		cmocka_unit_test(json_has_the_same_content),
		cmocka_unit_test(json_without_probes_has_nulls),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
