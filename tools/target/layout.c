/* SPDX-License-Identifier: MIT */
/*
 * layout.c - the layout note of libgrt: a version, the number of rows, and per row an id, a value
 * and a width, 32 bits each. A row says one thing once; anything that cannot be true is refused
 * with the name of the field, because a wrong offset would make wrong numbers and not an error.
 *
 * Refused: another version, a length that does not match, an id that is not in layout.def, a row
 * twice, a width that no load has, a field that is not aligned, leaves its struct or overlaps
 * another one, and a note without the rows that every snapshot needs.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "layout.h"

#define NOTE_VERSION 1u
#define STRUCT_BYTES_MAX (1u << 20)

enum row_kind { ROW_GLOBAL, ROW_SIZE, ROW_FIELD };

struct row_desc {
	uint32_t id;
	enum row_kind kind;
	const char *name;
	const char *of; /* struct that a field lies in, or that a size is of */
	size_t at;      /* where struct layout keeps it */
};

static const struct row_desc rows[] = {
#define LAYOUT_GLOBAL(id, name, sym) { id, ROW_GLOBAL, #name, "", offsetof(struct layout, name) },
#define LAYOUT_SIZE(id, name, type) { id, ROW_SIZE, #name, #type, offsetof(struct layout, name) },
#define LAYOUT_FIELD(id, name, type, member) \
	{ id, ROW_FIELD, #name, #type, offsetof(struct layout, name) },
#include "../../runtime/layout.def"
#undef LAYOUT_GLOBAL
#undef LAYOUT_SIZE
#undef LAYOUT_FIELD
};
#define NROWS (sizeof(rows) / sizeof(rows[0]))

/* Without these there is no snapshot; the other rows are optional to a reader. */
static const char *const needed[] = {
	"sched",          "allm",     "allp",  "sched_size", "m_size", "p_size", "sched_gomaxprocs",
	"sched_allm_len", "m_id",     "m_tid", "m_status",   "m_call", "m_take", "m_p",
	"p_id",           "p_status", "p_m",
};

struct parse {
	struct layout *layout;
	bool seen[NROWS];
	char *err;
	size_t err_bytes;
};

/* The sentence for the user; the value of the expression is what to return. */
#define refuse(ps, ...) (snprintf((ps)->err, (ps)->err_bytes, __VA_ARGS__), -EINVAL)

static void *slot(const struct parse *ps, size_t i)
{
	return (char *)ps->layout + rows[i].at;
}

static int row_global(struct parse *ps, size_t i, uint64_t addr, uint32_t width)
{
	if (width != 8)
		return refuse(ps, "%s has width %u, not 8", rows[i].name, width);
	memcpy(slot(ps, i), &addr, sizeof(addr));
	return 0;
}

static int row_size(struct parse *ps, size_t i, uint32_t value, uint32_t width)
{
	if (width != 0)
		return refuse(ps, "%s has width %u, not 0", rows[i].name, width);
	if (value == 0 || value > STRUCT_BYTES_MAX)
		return refuse(ps, "%s is %u bytes", rows[i].name, value);
	memcpy(slot(ps, i), &value, sizeof(value));
	return 0;
}

static int row_field(struct parse *ps, size_t i, uint32_t value, uint32_t width)
{
	struct layout_field *f = slot(ps, i);

	if (width != 1 && width != 2 && width != 4 && width != 8)
		return refuse(ps, "%s has width %u", rows[i].name, width);
	if (value % width)
		return refuse(ps, "%s is at offset %u, which is not aligned for its width %u",
			      rows[i].name, value, width);
	*f = (struct layout_field){ .off = value, .width = (uint16_t)width, .known = 1 };
	return 0;
}

static int row_take(struct parse *ps, const uint32_t row[3], uint64_t value_addr)
{
	size_t i = 0;

	while (i < NROWS && rows[i].id != row[0])
		i++;
	if (i == NROWS)
		return refuse(ps, "id %u is not known: damaged, or of a newer libgrt", row[0]);
	if (ps->seen[i])
		return refuse(ps, "%s is there twice", rows[i].name);
	ps->seen[i] = true;
	switch (rows[i].kind) {
	case ROW_GLOBAL:
		return row_global(ps, i, value_addr + (uint64_t)(int64_t)(int32_t)row[1], row[2]);
	case ROW_SIZE:
		return row_size(ps, i, row[1], row[2]);
	default:
		return row_field(ps, i, row[1], row[2]);
	}
}

/* Size of the struct that a field lies in; false if the note does not say. */
static bool struct_size(const struct parse *ps, const char *of, uint32_t *ret)
{
	for (size_t i = 0; i < NROWS; i++)
		if (rows[i].kind == ROW_SIZE && ps->seen[i] && !strcmp(rows[i].of, of)) {
			memcpy(ret, slot(ps, i), sizeof(*ret));
			return true;
		}
	return false;
}

static int field_check(struct parse *ps, size_t i)
{
	const struct layout_field *f = slot(ps, i);
	uint32_t size;

	if (!struct_size(ps, rows[i].of, &size))
		return refuse(ps, "%s is in struct %s, whose size is missing", rows[i].name,
			      rows[i].of);
	if (f->width > size || f->off > size - f->width)
		return refuse(ps, "%s is at offset %u, outside of struct %s of %u bytes",
			      rows[i].name, f->off, rows[i].of, size);
	for (size_t k = 0; k < i; k++) {
		const struct layout_field *other = slot(ps, k);

		if (rows[k].kind != ROW_FIELD || !ps->seen[k] || strcmp(rows[k].of, rows[i].of))
			continue;
		if (f->off < other->off + other->width && other->off < f->off + f->width)
			return refuse(ps, "%s overlaps %s", rows[i].name, rows[k].name);
	}
	return 0;
}

/* What no single row can tell: fields in their structs, and nothing that is needed is missing. */
static int whole_check(struct parse *ps)
{
	for (size_t n = 0; n < sizeof(needed) / sizeof(needed[0]); n++)
		for (size_t i = 0; i < NROWS; i++)
			if (!strcmp(rows[i].name, needed[n]) && !ps->seen[i])
				return refuse(ps, "%s is missing", needed[n]);
	for (size_t i = 0; i < NROWS; i++) {
		int rc = rows[i].kind == ROW_FIELD && ps->seen[i] ? field_check(ps, i) : 0;

		if (rc < 0)
			return rc;
	}
	return 0;
}

int layout_parse(struct layout *ret, const void *desc, size_t bytes, uint64_t desc_addr, char *err,
		 size_t err_bytes)
{
	struct parse ps = { .layout = ret, .err = err, .err_bytes = err_bytes };
	uint32_t head[2], row[3]; /* version, rows; id, value, width */
	const char *at = desc;
	int rc;

	memset(ret, 0, sizeof(*ret));
	if (bytes < sizeof(head))
		return refuse(&ps, "it has %zu bytes", bytes);
	memcpy(head, at, sizeof(head));
	if (head[0] != NOTE_VERSION)
		return refuse(&ps, "its version is %u, this gotrace knows %u", head[0],
			      NOTE_VERSION);
	if ((bytes - sizeof(head)) % sizeof(row) || (bytes - sizeof(head)) / sizeof(row) != head[1])
		return refuse(&ps, "it says %u rows, and has %zu bytes of them", head[1],
			      bytes - sizeof(head));
	for (size_t i = 0; i < head[1]; i++) {
		size_t row_at = sizeof(head) + i * sizeof(row);

		memcpy(row, at + row_at, sizeof(row));
		rc = row_take(&ps, row, desc_addr + row_at + sizeof(uint32_t));
		if (rc < 0)
			return rc;
	}
	rc = whole_check(&ps);
	if (rc == 0)
		ret->variant = LAYOUT_GRT;
	return rc;
}

uint64_t layout_get(const struct layout_field *f, const void *copy)
{
	uint64_t v = 0;

	if (f->known)
		memcpy(&v, (const char *)copy + f->off, f->width); /* little endian */
	return v;
}

int64_t layout_get_signed(const struct layout_field *f, const void *copy)
{
	unsigned shift = f->known ? 64 - 8u * f->width : 0;

	return (int64_t)(layout_get(f, copy) << shift) >> shift;
}
