/* SPDX-License-Identifier: MIT */
/*
 * ELF files read with distrust: a good one gives layout and probes; one that is cut at any
 * length, or has any byte changed, gives a sentence or a plausible answer, and never a crash.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../tools/diag.h"
#include "../../tools/target/image.h"
#include "fixture.h"

static struct elf_fixture good;

/* What is said to the user goes nowhere, while loops make thousands of errors. */
static struct target *open_quietly(const char *path, int *ret_code)
{
	int saved = dup(2), null = open("/dev/null", O_WRONLY | O_CLOEXEC);
	struct target *t;

	dup2(null, 2);
	close(null);
	t = target_open_file(path, ret_code);
	dup2(saved, 2);
	close(saved);
	return t;
}

static struct target *open_bytes(const void *data, size_t bytes, int *ret_code)
{
	int fd = fixture_fd(data, bytes);
	struct target *t;
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	t = open_quietly(path, ret_code);
	close(fd);
	return t;
}

static void test_all_probes_of_a_file_are_found(void **state)
{
	int code;
	struct target *t = open_bytes(good.file.data, good.file.n, &code);

	(void)state;
	assert_non_null(t);
	assert_int_equal(code, EXIT_FINE);

	assert_int_equal(t->nsites, probe_table_len);
	assert_int_equal(t->layout.variant, LAYOUT_GRT);
	assert_int_equal(t->layout.sched, DATA_VADDR + DATA_BYTES);
	for (int i = 0; i < t->nsites; i++) {
		const struct probe_site *s = &t->site[i];

		assert_ptr_equal(s->desc, &probe_table[i]);
		assert_int_equal(s->nargs, s->desc->nargs);
		/* The notes are of an older base: all addresses have moved by 0x1000. */
		assert_int_equal(s->addr - t->site[0].addr, 4 * i);
		assert_int_equal(s->addr - CODE_VADDR, s->file_off);
		assert_int_equal(s->sem_addr, DATA_VADDR + 2 * i);
		assert_int_equal(s->sem_off - t->site[0].sem_off, 2 * i);
	}
	target_close(t);
}

static void test_two_layout_notes_are_refused(void **state)
{
	struct elf_fixture f = good;
	uint8_t *segments = f.file.data + sizeof(Elf64_Ehdr);
	int code;

	(void)state;
	/* The data segment becomes a second way to the same notes. */
	memcpy(segments + sizeof(Elf64_Phdr), segments + 2 * sizeof(Elf64_Phdr),
	       sizeof(Elf64_Phdr));
	assert_null(open_bytes(f.file.data, f.file.n, &code));

	assert_int_equal(code, EXIT_NO_TARGET);
}

static void test_address_outside_of_data_is_refused(void **state)
{
	struct elf_fixture f = good;
	uint8_t *data_segment = f.file.data + sizeof(Elf64_Ehdr) + sizeof(Elf64_Phdr);
	const uint64_t memsz = DATA_BYTES;
	int code;

	(void)state;
	memcpy(data_segment + offsetof(Elf64_Phdr, p_memsz), &memsz, sizeof(memsz));
	assert_null(open_bytes(f.file.data, f.file.n, &code));

	assert_int_equal(code, EXIT_NO_TARGET);
}

static void test_other_files_are_no_targets(void **state)
{
	int code;

	(void)state;
	assert_null(open_bytes("", 0, &code));
	assert_int_equal(code, EXIT_NO_TARGET);
	assert_null(open_bytes("#!/bin/sh\n", 10, &code));
	assert_int_equal(code, EXIT_NO_TARGET);
	assert_null(open_quietly("/nonexistent", &code));
	assert_int_equal(code, EXIT_NO_TARGET);
	assert_null(open_quietly("/proc", &code));
	assert_int_equal(code, EXIT_NO_TARGET);
}

/* Opens a damaged file; what comes out must hold together. Returns whether it was accepted. */
static bool survives(const void *data, size_t bytes)
{
	int code = -1;
	struct target *t = open_bytes(data, bytes, &code);

	if (!t) {
		assert_int_equal(code, EXIT_NO_TARGET);
		return false;
	}
	assert_int_equal(code, EXIT_FINE);
	assert_in_range(t->nsites, 0, TARGET_SITES_MAX);
	for (int i = 0; i < t->nsites; i++)
		assert_int_equal(t->site[i].nargs, t->site[i].desc->nargs);
	target_close(t);
	return true;
}

static void test_cut_file_never_crashes(void **state)
{
	(void)state;
	for (size_t cut = 0; cut < good.file.n; cut += cut < 512 ? 1 : 7)
		survives(good.file.data, cut);
	assert_true(survives(good.file.data, good.file.n));
}

static size_t flip_range(size_t from, size_t to)
{
	static const uint8_t mask[] = { 0x01, 0x80, 0xff };
	struct bytes copy = good.file;
	size_t refused = 0;

	for (size_t at = from; at < to; at++)
		for (size_t i = 0; i < sizeof(mask); i++) {
			copy.data[at] ^= mask[i];
			refused += !survives(copy.data, copy.n);
			copy.data[at] ^= mask[i];
		}
	return refused;
}

static void test_changed_bytes_never_crash(void **state)
{
	size_t refused;

	(void)state;
	refused = flip_range(0, good.note_at + good.note_bytes);
	flip_range(good.sdt_at, good.sdt_at + good.sdt_bytes);
	flip_range(good.sections_at, good.file.n);
	assert_true(refused > good.note_bytes);
}

static int setup(void **state)
{
	(void)state;
	fixture_make(&good);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all_probes_of_a_file_are_found),
		cmocka_unit_test(test_two_layout_notes_are_refused),
		cmocka_unit_test(test_address_outside_of_data_is_refused),
		cmocka_unit_test(test_other_files_are_no_targets),
		cmocka_unit_test(test_cut_file_never_crashes),
		cmocka_unit_test(test_changed_bytes_never_crash),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
