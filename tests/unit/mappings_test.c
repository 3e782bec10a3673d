/* SPDX-License-Identifier: MIT */
/* mappings_test.c - what is mapped where, by the maps of this very process. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "../../tools/target/mappings.h"

static size_t page_bytes;

static char *map_new(int fd)
{
	char *p = mmap(NULL, page_bytes, PROT_READ | PROT_WRITE,
		       fd < 0 ? MAP_PRIVATE | MAP_ANONYMOUS : MAP_SHARED, fd, 0);

	assert_true(p != MAP_FAILED);
	return p;
}

static char *map_file(const char *name)
{
	int fd = memfd_create(name, MFD_CLOEXEC);
	char *p;

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, (off_t)page_bytes), 0);
	p = map_new(fd);
	close(fd);
	return p;
}

static void files_have_their_names_up_to_the_last_byte(void **state)
{
	struct mappings *m = mappings_new(getpid());
	char *file = map_file("index\033[2J");

	(void)state;
	assert_string_equal(mappings_name(m, (uintptr_t)file), "/memfd:index?[2J (deleted)");
	assert_string_equal(mappings_name(m, (uintptr_t)file + page_bytes - 1),
			    "/memfd:index?[2J (deleted)");
	munmap(file, page_bytes);
	mappings_free(m);
}

static void memory_without_a_file_is_called_so(void **state)
{
	struct mappings *m = mappings_new(getpid());
	char *p = map_new(-1);

	(void)state;
	assert_string_equal(mappings_name(m, (uintptr_t)p), "anonymous memory");
	assert_string_equal(mappings_name(m, (uintptr_t)&p), "[stack]");
	munmap(p, page_bytes);
	mappings_free(m);
}

static void what_changes_is_seen_after_a_refresh(void **state)
{
	struct mappings *m = mappings_new(getpid());
	char *file = map_file("first");

	(void)state;
	assert_string_equal(mappings_name(m, (uintptr_t)file), "/memfd:first (deleted)");
	munmap(file, page_bytes);
	assert_non_null(mappings_name(m, (uintptr_t)file));
	mappings_refresh(m);
	assert_null(mappings_name(m, (uintptr_t)file));
	mappings_free(m);
}

static void who_is_gone_has_none(void **state)
{
	struct mappings *m = mappings_new(0x7ffffffe);

	(void)state;
	assert_null(mappings_name(m, (uintptr_t)m));
	assert_null(mappings_name(m, 0));
	mappings_free(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(files_have_their_names_up_to_the_last_byte),
		cmocka_unit_test(memory_without_a_file_is_called_so),
		cmocka_unit_test(what_changes_is_seen_after_a_refresh),
		cmocka_unit_test(who_is_gone_has_none),
	};

	page_bytes = (size_t)sysconf(_SC_PAGESIZE);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
