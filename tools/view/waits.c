/* SPDX-License-Identifier: MIT */
/* waits.c - see waits.h. */
#include "waits.h"

#include <inttypes.h>

#include "fmt.h"

#define LINE_BYTES 1024
#define MUCH_PERCENT 5

void waits_text_totals(struct view *v, const struct model *m, const struct view_end *e)
{
	const struct model_wait *w = &model_snap(m)->wait;
	char line[LINE_BYTES], waited[FMT_BYTES], whole[FMT_BYTES], part[FMT_BYTES];
	char quota[FMT_BYTES], period[FMT_BYTES];
	int n;

	(void)e;
	if (!model_has_snapshot(m) || !w->is_known ||
	    w->waited_ns * 100 < (w->waited_ns + w->ran_ns) * MUCH_PERCENT || !w->waited_ns)
		return;
	fmt_duration(waited, w->waited_ns);
	fmt_duration(whole, w->waited_ns + w->ran_ns);
	fmt_duration(part, w->throttled_ns);
	n = snprintf(line, sizeof(line),
		     "goroutines on Ps waited for a CPU: %s of %s; throttled %s", waited, whole,
		     part);
	if (w->quota_ns)
		n += snprintf(line + n, sizeof(line) - (size_t)n,
			      " (quota: %s each %s, used up in %" PRIu32 " of %" PRIu32 " periods)",
			      fmt_duration(quota, w->quota_ns), fmt_duration(period, w->period_ns),
			      w->throttled_periods, w->periods);
	snprintf(line + n, sizeof(line) - (size_t)n, ", others had the CPUs %s",
		 fmt_duration(part, w->waited_ns - w->throttled_ns));
	fmt_wrapped(v->out, line, v->columns);
}

static void put_quota(struct json *j, const struct model_wait *w)
{
	if (!w->quota_ns) {
		json_null(j, "quota");
		return;
	}
	json_open(j, "quota", '{');
	json_uint(j, "quota_ns", w->quota_ns);
	json_uint(j, "period_ns", w->period_ns);
	json_uint(j, "periods", w->periods);
	json_uint(j, "throttled_periods", w->throttled_periods);
	json_close(j);
}

void waits_json(struct json *j, const struct model *m)
{
	const struct model_wait *w = &model_snap(m)->wait;

	if (!w->is_known) {
		json_null(j, "cpu");
		return;
	}
	json_open(j, "cpu", '{');
	json_uint(j, "ran_ns", w->ran_ns);
	json_uint(j, "waited_ns", w->waited_ns);
	json_uint(j, "throttled_ns", w->throttled_ns);
	put_quota(j, w);
	json_close(j);
}
