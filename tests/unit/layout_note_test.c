/* SPDX-License-Identifier: MIT */
/*
 * layout_note_test.c - the layout note says what the compiler knows, in every kind of file that the
 * runtime may be linked into.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#include "../../runtime/types.h"
#include "elfnotes.h"

#define NOTE_TYPE 1
#define NOTE_VERSION 1

struct row {
	u32 id, value, width;
};

enum kind { GLOBAL, SIZE, FIELD };

static const struct expected {
	enum kind kind;
	u32 id;
	const char *symbol; /* of a global */
	const void *at;     /* here, of a global */
	u32 value, width;
} rows[] = {
#define LAYOUT_GLOBAL(id, name, symbol) { GLOBAL, id, #symbol, &symbol, 0, 8 },
#define LAYOUT_SIZE(id, name, type) { SIZE, id, NULL, NULL, sizeof(struct type), 0 },
#define LAYOUT_FIELD(id, name, type, member)       \
	{                                          \
		FIELD,                             \
		id,                                \
		NULL,                              \
		NULL,                              \
		offsetof(struct type, member),     \
		sizeof(((struct type *)0)->member) \
	},
#include "../../runtime/layout.def"
#undef LAYOUT_GLOBAL
#undef LAYOUT_SIZE
#undef LAYOUT_FIELD
};
#define ROWS (sizeof(rows) / sizeof(rows[0]))

/* The one note of the file. */
static void note_find(const struct elf_file *f, struct elf_note *ret)
{
	const Elf64_Shdr *sh = elf_section(f, ".note.grt");
	struct elf_note more;

	assert_non_null(sh);
	assert_int_equal(sh->sh_type, SHT_NOTE);
	assert_true(sh->sh_flags & SHF_ALLOC);
	assert_false(sh->sh_flags & SHF_WRITE);
	*ret = (struct elf_note){ 0 };
	assert_true(elf_note_next(f, sh, ret));
	assert_string_equal(ret->owner, "grt");
	assert_int_equal(ret->type, NOTE_TYPE);
	more = *ret;
	assert_false(elf_note_next(f, sh, &more));
}

/* Where the value word of row i lies, as linked. */
static u64 value_addr(const struct elf_note *n, size_t i)
{
	return n->desc_addr + 2 * sizeof(u32) + i * sizeof(struct row) +
	       offsetof(struct row, value);
}

static void assert_true_rows(const struct elf_file *f, const struct elf_note *n)
{
	const u32 *head = (const void *)n->desc;
	const struct row *row = (const void *)(head + 2);

	assert_int_equal(head[0], NOTE_VERSION);
	assert_int_equal(head[1], ROWS);
	assert_int_equal(n->desc_bytes, 2 * sizeof(u32) + ROWS * sizeof(struct row));
	for (size_t i = 0; i < ROWS; i++) {
		assert_int_equal(row[i].id, rows[i].id);
		assert_int_equal(row[i].width, rows[i].width);
		if (rows[i].kind != GLOBAL)
			assert_int_equal(row[i].value, rows[i].value);
		else
			assert_int_equal(value_addr(n, i) + (u64)(i64)(i32)row[i].value,
					 elf_symbol(f, rows[i].symbol, NULL));
	}
}

static void test_rows_say_what_the_compiler_knows(void **state)
{
	struct elf_file self = elf_open("/proc/self/exe");
	struct elf_note n;

	(void)state;
	assert_non_null(self.map);
	note_find(&self, &n);
	assert_true_rows(&self, &n);
	assert_true(elf_note_segment_has(&self, n.desc_addr));
	elf_close(&self);
}

/* The words in memory lead to the globals of the running process. */
static void test_globals_are_found_in_memory(void **state)
{
	struct elf_file self = elf_open("/proc/self/exe");
	u64 bias = elf_self_bias(&self, "sched", &sched);
	struct elf_note n;

	(void)state;
	note_find(&self, &n);
	for (size_t i = 0; i < ROWS; i++) {
		const char *word = (const char *)(uintptr_t)(value_addr(&n, i) + bias);

		if (rows[i].kind == GLOBAL)
			assert_ptr_equal(word + *(const i32 *)(const void *)word, rows[i].at);
	}
	elf_close(&self);
}

static void test_ids_are_unique(void **state)
{
	(void)state;
	for (size_t i = 0; i < ROWS; i++)
		for (size_t k = 0; k < i; k++)
			assert_int_not_equal(rows[i].id, rows[k].id);
}

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)

/*
 * Links the runtime's objects, as they are or as the one object of libgrt.a, in each way that a program
 * may choose. $1: directory of the objects, $2: the file to make, $3: flags, $4: all or one.
 * Makes $2.stripped as well.
 */
static const char script[] =
	"set -e; d=$(mktemp -d); trap 'rm -rf \"$d\"' EXIT\n"
	"ld -r -o $d/one.o $1/*.o; objcopy --localize-hidden $d/one.o\n"
	"echo 'int grt_run(int (*)(void *), void *); int main(void) { return grt_run(0, 0); }' >$d/main.c\n"
	"case $4 in one) o=$d/one.o;; *) o=$1/*.o;; esac\n"
	"gcc -pthread $3 -o $2 $d/main.c $o 2>&1\n"
	"strip --strip-all -o $2.stripped $2\n";

static const struct way {
	const char *flags, *objects;
} ways[] = {
	{ "-pie", "all" },
	{ "-pie", "one" },
	{ "-no-pie", "one" },
	{ "-static", "one" },
	{ "-static-pie", "one" },
	{ "-shared -fPIC", "all" },
	{ "-shared -fPIC", "one" },
	{ "-pie -Wl,--gc-sections", "all" },
	{ "-pie -Wl,--gc-sections", "one" },
	{ "-pie -Wl,--emit-relocs", "one" },
	{ "-pie -Wl,-z,separate-code -Wl,--build-id", "one" },
};

static void shell(const char *objects_dir, const char *out, const struct way *way)
{
	char command[2048];

	snprintf(command, sizeof(command), "set -- '%s' '%s' '%s' %s; %s", objects_dir, out,
		 way->flags, way->objects, script);
	if (system(command) != 0)
		fail_msg("could not link with %s", way->flags);
}

/* Stripping takes the names away and leaves every byte and place of the note. */
static void check_files(const char *path, const char *stripped_path)
{
	struct elf_file f = elf_open(path), stripped = elf_open(stripped_path);
	struct elf_note before, after;

	assert_non_null(f.map);
	note_find(&f, &before);
	assert_true_rows(&f, &before);
	assert_true(elf_note_segment_has(&f, before.desc_addr));

	assert_non_null(stripped.map);
	note_find(&stripped, &after);
	assert_int_equal(elf_symbol(&stripped, "sched", NULL), 0);
	assert_true(elf_note_segment_has(&stripped, after.desc_addr));
	assert_int_equal(after.desc_addr, before.desc_addr);
	assert_memory_equal(after.desc, before.desc, before.desc_bytes);
	elf_close(&stripped);
	elf_close(&f);
}

static void test_every_way_to_link_keeps_the_note(void **state)
{
	char dir[] = "/tmp/layout_note.XXXXXX", out[64], stripped[80], objects[512];
	ssize_t n = readlink("/proc/self/exe", objects, sizeof(objects) - 32);

	(void)state;
	assert_true(n > 0);
	objects[n] = '\0';
	for (int i = 0; i < 3; i++) /* build/tests/unit/layout_note_test */
		*strrchr(objects, '/') = '\0';
	strcat(objects, "/runtime");
	assert_non_null(mkdtemp(dir));
	snprintf(out, sizeof(out), "%s/linked", dir);
	snprintf(stripped, sizeof(stripped), "%s.stripped", out);
	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
		shell(objects, out, &ways[i]);
		check_files(out, stripped);
		unlink(out);
		unlink(stripped);
	}
	rmdir(dir);
}

#endif

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows_say_what_the_compiler_knows),
		cmocka_unit_test(test_globals_are_found_in_memory),
		cmocka_unit_test(test_ids_are_unique),
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
		cmocka_unit_test(test_every_way_to_link_keeps_the_note),
#endif
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
