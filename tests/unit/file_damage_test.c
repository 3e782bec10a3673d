/* SPDX-License-Identifier: MIT */
/*
 * file_damage_test.c - a file is not trusted: every cut and every flipped bit is noticed and said, lies
 * under right checksums do no harm, and what is no recording, or a newer one, is named.
 */
#include "recording.h"

#include <zlib.h>

#include "../../tools/model/model.h"

static uint8_t damaged[FILE_MAX];

static void every_cut_is_noticed(void **state)
{
	struct file_written done;
	size_t bytes = make(4, 2, 3, GRT_END_EXITED, 0, &done), most = 0;

	(void)state;
	for (size_t n = 0; n < bytes; n++) {
		int rc = replay_bytes(image, n);

		assert_string_not_equal(said, "");
		if (n < sizeof(struct file_header)) {
			assert_int_equal(rc, 0);
			assert_int_equal(got.n, 0);
			continue;
		}
		assert_int_equal(rc, -ENODATA);
		assert_is_beginning(true);
		assert_true(got.n >= most);
		most = got.n;
	}
	/* All but the end came through where the last block is missing. */
	assert_int_equal(most, sent.n + 1);
	assert_int_equal(replay_bytes(image, bytes), -ESRCH);
}

static void every_flipped_bit_is_noticed(void **state)
{
	struct file_written done;
	size_t bytes = make(4, 4, 5, GRT_END_EXITED, 0, &done);

	(void)state;
	for (size_t i = 0; i < bytes; i++) {
		int bit = (int)(random_next() % 8), rc;

		memcpy(damaged, image, bytes);
		damaged[i] ^= (uint8_t)(1 << bit);
		rc = replay_bytes(damaged, bytes);
		assert_string_not_equal(said, "");
		assert_true(rc == 0 || rc == -ENODATA);
		if (rc == 0)
			assert_int_equal(got.n, 0);
		else
			assert_is_beginning(true);
	}
}

static void what_follows_the_end_is_noticed(void **state)
{
	struct file_written done;
	size_t bytes = make(2, 2, 3, GRT_END_EXITED, 0, &done);
	char want[64];

	(void)state;
	memcpy(damaged, image, bytes);
	memcpy(damaged + bytes, image, bytes); /* cat one two >both */
	assert_int_equal(replay_bytes(damaged, 2 * bytes), -ESRCH);
	snprintf(want, sizeof(want), "something behind its end at byte %zu: replayed up to there",
		 bytes);
	assert_non_null(strstr(said, want));
	assert_is_beginning(true);
	assert_int_equal(replay_bytes(damaged, bytes + 1), -ESRCH);
	assert_non_null(strstr(said, want));
	assert_int_equal(replay_bytes(damaged, bytes), -ESRCH);
	assert_string_equal(said, "");
}

static void the_place_of_the_damage_is_told(void **state)
{
	struct file_written done;
	size_t bytes = make(2, 2, 3, GRT_END_EXITED, 0, &done);
	const struct file_block *b = (const void *)(image + sizeof(struct file_header));
	size_t second = sizeof(struct file_header) + sizeof(*b) + b->packed_bytes;
	char want[64];

	(void)state;
	image[second + sizeof(*b) + 3] ^= 4;
	assert_int_equal(replay_bytes(image, bytes), -ENODATA);
	snprintf(want, sizeof(want), "damaged at byte %zu: replayed up to there", second);
	assert_non_null(strstr(said, want));
}

/* The right checksum over a wrong content, as somebody would make who means harm. */
static void reseal(void)
{
	struct file_header *h = (void *)damaged;
	struct file_block *b = (void *)(damaged + sizeof(*h));

	h->crc = (uint32_t)crc32(0, damaged, offsetof(struct file_header, crc));
	b->crc = (uint32_t)crc32(0, (const uint8_t *)(b + 1), b->packed_bytes % FILE_PACKED_MAX);
	b->head_crc = (uint32_t)crc32(0, (const uint8_t *)b, offsetof(struct file_block, head_crc));
}

static void sealed_lies_are_refused(void **state)
{
	struct file_written done;
	size_t bytes = make(2, 4, 5, GRT_END_EXITED, 0, &done);
	size_t near = sizeof(struct file_header) + sizeof(struct file_block) + 64;

	(void)state;
	for (int i = 0; i < 20000; i++) {
		size_t at = random_next() % near;

		memcpy(damaged, image, bytes);
		damaged[at] ^= (uint8_t)(1 << random_next() % 8);
		damaged[random_next() % near] = (uint8_t)random_next();
		reseal();
		replay_bytes(damaged, bytes);
		assert_true(got.n <= sent.n + 1);
	}
}

static void sizes_that_would_take_all_memory_are_refused(void **state)
{
	static const struct file_block lies[] = {
		{ .packed_bytes = UINT32_MAX, .raw_bytes = 64, .records = 1 },
		{ .packed_bytes = 64, .raw_bytes = UINT32_MAX, .records = UINT32_MAX },
		{ .packed_bytes = 64, .raw_bytes = 0, .records = 1u << 26 },
		{ .packed_bytes = 0, .raw_bytes = 0, .records = 0 },
		{ .packed_bytes = 64, .raw_bytes = 64, .records = 2 },
	};
	struct file_written done;
	size_t bytes = make(2, 4, 5, GRT_END_EXITED, 0, &done);

	(void)state;
	for (size_t i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
		struct file_block *b = (void *)(damaged + sizeof(struct file_header));

		memcpy(damaged, image, bytes);
		*b = lies[i];
		b->magic = FILE_BLOCK_MAGIC;
		b->head_crc = (uint32_t)crc32(0, (const uint8_t *)b,
					      offsetof(struct file_block, head_crc));
		assert_int_equal(replay_bytes(damaged, bytes), -ENODATA);
		assert_non_null(strstr(said, "a block that cannot be true at byte 512"));
	}
}

/* Whatever records say: the model stands it, and takes bounded memory. */
static void hostile_records_do_the_model_no_harm(void **state)
{
	static const uint16_t kinds[] = {
		GRT_K_m_new,       GRT_K_retake,
		GRT_K_handoff,     GRT_K_handoff_done,
		GRT_K_SNAP_BEGIN,  GRT_K_SNAP_SCHED,
		GRT_K_SNAP_P,      GRT_K_SNAP_M,
		GRT_K_SNAP_CALL,   GRT_K_SNAP_G,
		GRT_K_SNAP_COUNT,  GRT_K_SNAP_END,
		GRT_K_SNAP_STACK,  GRT_K_SNAP_COST,
		GRT_K_SNAP_LIMITS, GRT_K_SNAP_WAIT,
		GRT_K_SNAP_FAULT,  GRT_K_TEXT,
		GRT_K_LOST,        GRT_K_SWITCH_OUT,
		GRT_K_netpoll_run, GRT_K_exitsyscall_slow,
	};
	struct model *m = model_new();
	char why[256];

	(void)state;
	for (int i = 0; i < 200000; i++) {
		struct grt_rec rec = {
			.time_ns = random_next() >> (random_next() % 64),
			.tid = (uint32_t)random_next() % 64,
			.kind = kinds[random_next() % (sizeof(kinds) / sizeof(kinds[0]))],
		};

		for (int k = 0; k < GRT_REC_ARGS; k++)
			rec.arg[k] = random_next() >> (random_next() % 64);
		model_apply(m, &rec);
		if (i % 1000 == 0)
			model_tick(m, random_next() >> 8);
	}
	model_tick(m, UINT64_MAX);
	model_law_broken(m, why, sizeof(why));
	model_free(m);
}

static void newer_versions_are_refused_with_both(void **state)
{
	struct file_written done;
	size_t bytes = make(1, 1, 1, GRT_END_ASKED, 0, &done);
	struct file_header *h = (void *)damaged;

	(void)state;
	memcpy(damaged, image, bytes);
	h->version = 7;
	assert_int_equal(replay_bytes(damaged, bytes), 0);
	assert_non_null(
		strstr(said, "version 7 of the format, this gotrace reads up to version 1"));
	memcpy(damaged, image, bytes);
	h->trace_version = 9;
	reseal();
	assert_int_equal(replay_bytes(damaged, bytes), 0);
	assert_non_null(strstr(said, "version 9, this gotrace reads up to version 1"));
	memcpy(damaged, image, bytes);
	h->machine = 183;
	reseal();
	assert_int_equal(replay_bytes(damaged, bytes), 0);
	assert_non_null(strstr(said, "another architecture"));
}

static void a_longer_header_is_skipped(void **state)
{
	struct file_written done;
	size_t bytes = make(1, 1, 1, GRT_END_ASKED, 0, &done), more = 1000;
	struct file_header *h = (void *)damaged;

	(void)state;
	memcpy(damaged, image, sizeof(*h));
	memset(damaged + sizeof(*h), 0xa5, more);
	memcpy(damaged + sizeof(*h) + more, image + sizeof(*h), bytes - sizeof(*h));
	h->header_bytes += (uint32_t)more;
	h->crc = (uint32_t)crc32(0, damaged, offsetof(struct file_header, crc));
	assert_int_equal(replay_bytes(damaged, bytes + more), -ENODATA);
	assert_string_equal(said, "");
	assert_int_equal(got.n, sent.n);
}

static void what_is_no_recording_is_named(void **state)
{
	static const struct {
		const char *data;
		size_t bytes;
		const char *what;
	} rows[] = {
		{ "", 0, "it is empty" },
		{ "hello, world\n", 13, "it is text" },
		{ "\177ELF\2\1\1", 7, "a program, library or core file (ELF)" },
		{ "PERFILE2........", 16, "a recording of perf" },
		{ "go 1.22 trace\0\0\0", 16, "an execution trace of Go" },
		{ "\0\0\0\0\0\0\0\0", 8, "data of another kind" },
		{ "\211GRT\n\032\n.....", 12, "changed on its way" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(replay_bytes(rows[i].data, rows[i].bytes), 0);
		if (!strstr(said, rows[i].what))
			fail_msg("'%s' is not in: %s", rows[i].what, said);
	}
	said_begin();
	assert_int_equal(replay("/", collect, &got), 0);
	assert_int_equal(replay("/nowhere/at/all", collect, &got), 0);
	said_end();
	assert_non_null(strstr(said, "Is a directory"));
	assert_non_null(strstr(said, "cannot open the recording /nowhere/at/all: No such file"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(every_cut_is_noticed, setup),
		cmocka_unit_test_setup(every_flipped_bit_is_noticed, setup),
		cmocka_unit_test_setup(what_follows_the_end_is_noticed, setup),
		cmocka_unit_test_setup(the_place_of_the_damage_is_told, setup),
		cmocka_unit_test_setup(sealed_lies_are_refused, setup),
		cmocka_unit_test_setup(sizes_that_would_take_all_memory_are_refused, setup),
		cmocka_unit_test_setup(hostile_records_do_the_model_no_harm, setup),
		cmocka_unit_test_setup(newer_versions_are_refused_with_both, setup),
		cmocka_unit_test_setup(a_longer_header_is_skipped, setup),
		cmocka_unit_test_setup(what_is_no_recording_is_named, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
