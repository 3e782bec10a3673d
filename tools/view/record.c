/* SPDX-License-Identifier: MIT */
/*
 * record.c - the report of `gotrace record`: how much is in the file. What was seen is for the
 * reports that read it.
 *
 *	recorded 1284 records, 31 snapshots in growth.grt: 48123 bytes
 */
#include <inttypes.h>

#include "fmt.h"
#include "record.h"

#define LINE_BYTES 2048
#define PATH_COLUMNS 300

static const struct record_done *done_of(const struct view *v)
{
	return v->opts;
}

static void text(struct view *v, const struct model *m)
{
	(void)v;
	(void)m;
}

static void text_totals(struct view *v, const struct model *m, const struct view_end *e)
{
	const struct record_done *d = done_of(v);
	char line[LINE_BYTES], path[PATH_COLUMNS * 4];

	(void)m;
	(void)e;
	fmt_clean(path, sizeof(path), d->path, PATH_COLUMNS);
	snprintf(line, sizeof(line),
		 "recorded %" PRIu64 " records, %" PRIu64 " snapshots in %s: %" PRIu64 " bytes%s",
		 d->records, d->snapshots, path, d->bytes,
		 d->is_full ? "; ended by --max-size" : "");
	fmt_wrapped(v->out, line, v->columns);
	if (!d->has_failed)
		return;
	snprintf(line, sizeof(line), "not written: %" PRIu64 " records", d->unwritten);
	fmt_wrapped(v->out, line, v->columns);
}

static void put_counts(struct json *j, const struct record_done *d)
{
	json_uint(j, "records", d->records);
	json_uint(j, "snapshots", d->snapshots);
	json_uint(j, "bytes", d->bytes);
}

static void json(struct view *v, struct json *j, const struct model *m)
{
	(void)m;
	put_counts(j, done_of(v));
}

static void json_totals(struct view *v, struct json *j, const struct model *m,
			const struct view_end *e)
{
	const struct record_done *d = done_of(v);

	(void)m;
	(void)e;
	json_text(j, "file", d->path);
	put_counts(j, d);
	json_uint(j, "unwritten", d->unwritten);
	json_bool(j, "is_full", d->is_full);
	json_bool(j, "has_failed", d->has_failed);
}

static const char *const counts[] = { "records", "snapshots", "bytes", NULL };
static const struct report_truth truth = {
	.text = "recorded: every event of these probes, and a snapshot every %s",
	.exact = counts,
};
static const struct report_truth truth_unarmed = {
	.text = "recorded: a snapshot every %s, no events",
	.exact = counts,
};

const struct report report_record = {
	.name = "record",
	.armed = &truth,
	.unarmed = &truth_unarmed,
	.text = text,
	.text_totals = text_totals,
	.json_type = "recorded",
	.json = json,
	.json_totals = json_totals,
};
