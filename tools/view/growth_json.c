/* SPDX-License-Identifier: MIT */
/* growth_json.c - the report of `gotrace growth` for programs: schema/growth.json. */
#include "formats.h"
#include "growth_view.h"
#include "modules.h"

static void put_made_by(struct json *j, const struct model_growth *g)
{
	static const char *const word[GROWTH_MADE_BYS] = {
		[0] = "other",
		[GRT_MNEW_HANDOFF] = "handoff",
		[GRT_MNEW_WAKEP] = "wakep",
		[GRT_MNEW_TEMPLATE] = "template",
		[GRT_MNEW_LOCK] = "lock",
		[GRT_MNEW_START] = "start",
	};

	json_open(j, "made_by", '{');
	for (int i = 0; i < GROWTH_MADE_BYS; i++)
		json_uint(j, word[i], g->made_by[i]);
	json_close(j);
}

static void put_limits(struct json *j, const struct model *m)
{
	static const char *const word[GROWTH_LIMITS] = { "runtime", "nproc", "cgroup" };

	json_open(j, "limits", '{');
	for (int i = 0; i < GROWTH_LIMITS; i++) {
		struct growth_eta eta;

		if (!growth_eta(&eta, m, (enum growth_limit)i)) {
			json_null(j, word[i]);
			continue;
		}
		json_open(j, word[i], '{');
		json_uint(j, "limit", eta.limit);
		json_uint(j, "used", eta.used);
		json_uint_or_null(j, "reached_in_ns", eta.has_eta, eta.eta_ns);
		json_close(j);
	}
	json_close(j);
}

static void put_causes(struct json *j, const struct model *m)
{
	const struct model_cause *c;
	size_t n = model_causes(m, &c);

	json_open(j, "causes", '[');
	for (size_t i = 0; i < n; i++) {
		json_open(j, NULL, '{');
		json_text(j, "call", c[i].call);
		json_text(j, "where", c[i].where);
		json_uint(j, "threads_milli", (uint64_t)(c[i].threads * 1000 + 0.5));
		json_uint(j, "share_ppm", (uint64_t)(growth_share(m, c[i].threads) * 1e6 + 0.5));
		json_uint(j, "now", c[i].now);
		json_close(j);
	}
	json_close(j);
}

void growth_json(struct view *v, struct json *j, const struct model *m)
{
	const struct model_growth *g = model_growth(m);
	const struct model_snap *s = model_snap(m);

	(void)v;
	json_uint(j, "time_ns", s->time_ns);
	json_uint(j, "threads", s->threads);
	json_uint(j, "threads_at_first", g->threads_at_first);
	json_open(j, "states", '{');
	for (int i = 0; i < GRT_MS_COUNT; i++)
		json_uint(j, view_state_word((enum grt_mstate)i), s->count[i]);
	json_close(j);
	json_uint(j, "made", g->made);
	json_uint(j, "gone", g->gone);
	put_made_by(j, g);
	json_open(j, "late", '{');
	json_int(j, "threads", g->late_threads);
	json_uint(j, "ns", g->late_ns);
	json_close(j);
	put_limits(j, m);
	put_causes(j, m);
	modules_json(j, m);
}
