/* SPDX-License-Identifier: MIT */
/*
 * stacks_test.c - stacks of a real program, taken while it runs, against what eu-stack finds when
 * it stops it afterwards: its threads sleep in the same calls. With frame pointers and without,
 * with a fixed address and without, with symbols of its own and in a separate file.
 */
#define _GNU_SOURCE
#include "../../bpf/mstate.h"
#include "../../tools/diag.h"
#include "../../tools/source/source.h"
#include "../../tools/source/stacks.h"
#include "e2e.h"

#define THREADS 23
#define FRAMES 48
#define ROWS 64
#define NAMES 256
#define NAME_BYTES 160

struct stack_seen {
	uint32_t tid;
	int n, nkernel;
	uint64_t pc[FRAMES];
	uint8_t flags[FRAMES];
	uint64_t kernel[8];
};

struct name {
	enum grt_text what;
	uint64_t key;
	char text[NAME_BYTES];
};

struct seen {
	int rows, nnames;
	unsigned int texts;
	bool is_late; /* stacks come behind the snapshot */
	struct stack_seen row[ROWS];
	struct name name[NAMES];
};

static struct name *name_of(struct seen *v, enum grt_text what, uint64_t key, bool make)
{
	for (int i = 0; i < v->nnames; i++)
		if (v->name[i].what == what && v->name[i].key == key)
			return &v->name[i];
	if (!make)
		return NULL;
	assert_true(v->nnames < NAMES);
	v->name[v->nnames] = (struct name){ .what = what, .key = key };
	return &v->name[v->nnames++];
}

static const char *text_of(struct seen *v, enum grt_text what, uint64_t key)
{
	const struct name *n = name_of(v, what, key, false);

	return n ? n->text : "";
}

static void on_text(struct seen *v, const struct grt_rec *r)
{
	struct name *n = name_of(v, r->arg[0] & 0xffff, r->arg[1], true);
	size_t bytes = r->arg[0] >> 16 & 0xffff, at = r->arg[0] >> 32;

	v->texts++;
	for (size_t i = 0; i < GRT_TEXT_PIECE && at + i < bytes && at + i < NAME_BYTES - 1; i++)
		n->text[at + i] = ((const char *)&r->arg[2])[i];
	n->text[bytes < NAME_BYTES ? bytes : NAME_BYTES - 1] = '\0';
}

static void on_stack(struct stack_seen *s, const struct grt_rec *r)
{
	unsigned int n = r->arg[0] >> 8 & 0xff, first = r->arg[0] >> 16 & 0xffff;
	bool is_user = (r->arg[0] & 0xff) == GRT_STACK_USER;

	assert_int_equal(r->tid, s->tid);
	assert_int_equal(first, is_user ? s->n : s->nkernel);
	for (unsigned int i = 0; i < n && i < GRT_STACK_PCS; i++) {
		if (is_user) {
			s->pc[s->n] = r->arg[1 + i];
			s->flags[s->n++] = r->arg[0] >> (32 + 4 * i) & 0xf;
		} else {
			s->kernel[s->nkernel++] = r->arg[1 + i];
		}
	}
}

static struct stack_seen *row_of(struct seen *v, uint32_t tid)
{
	for (int i = 0; i < v->rows; i++)
		if (v->row[i].tid == tid)
			return &v->row[i];
	fail_msg("no thread %u", tid);
	return NULL;
}

static void on_record(void *arg, const struct grt_rec *r)
{
	struct seen *v = arg;

	if (r->kind == GRT_K_SNAP_BEGIN)
		v->rows = 0;
	if (r->kind == GRT_K_SNAP_M) {
		assert_true(v->rows < ROWS);
		v->row[v->rows++] = (struct stack_seen){ .tid = r->tid };
	}
	if (r->kind == GRT_K_SNAP_STACK)
		on_stack(v->is_late ? row_of(v, r->tid) : &v->row[v->rows - 1], r);
	if (r->kind == GRT_K_TEXT)
		on_text(v, r);
}

struct fixture {
	struct program p;
	struct target *t;
	struct source *s;
	struct seen seen;
};

static int stacks_in(const struct seen *v)
{
	int n = 0;

	for (int i = 0; i < v->rows; i++)
		n += v->row[i].n > 0;
	return n;
}

/* Its threads say "ready" just before their call: asked again until all sleep in it. */
static void given_many(struct fixture *f, const char *program, const char *how, bool sample_only)
{
	struct source_opts o = { .sample_only = sample_only,
				 .want_names = true,
				 .want_stacks = true };
	char threads[16],
		*argv[] = { (char *)e2e_path("TRACEE_DIR", program), threads, (char *)how, NULL };
	int code;

	memset(f, 0, sizeof(*f));
	snprintf(threads, sizeof(threads), "%d", THREADS);
	f->p = program_start(argv, NULL);
	program_expect(&f->p, "ready");
	f->t = target_open(f->p.pid, &code);
	assert_non_null(f->t);
	f->s = source_live_open(f->t, &o, &code);
	assert_non_null(f->s);
	do
		assert_int_equal(f->s->ops->snapshot(f->s, on_record, &f->seen), 0);
	while (stacks_in(&f->seen) < THREADS);
}

static void end(struct fixture *f)
{
	f->s->ops->close(f->s);
	target_close(f->t);
	program_stop(&f->p);
}

/* Stacks by eu-stack, of the threads that v has; it stops the process for that. */
static void truth_read(pid_t pid, struct seen *truth)
{
	char command[64], *line = NULL;
	struct stack_seen *s = NULL;
	size_t cap = 0;
	FILE *in;

	memset(truth, 0, sizeof(*truth));
	snprintf(command, sizeof(command), "exec eu-stack -p %d 2>/dev/null", pid);
	in = popen(command, "re");
	assert_non_null(in);
	while (getline(&line, &cap, in) > 0) {
		unsigned long long pc;
		unsigned int tid;

		if (sscanf(line, "TID %u:", &tid) == 1) {
			assert_true(truth->rows < ROWS);
			s = &truth->row[truth->rows++];
			s->tid = tid;
		} else if (s && s->n < FRAMES && sscanf(line, "#%*d 0x%llx", &pc) == 1) {
			s->pc[s->n++] = pc;
		}
	}
	free(line);
	pclose(in);
	assert_true(truth->rows > THREADS);
}

static void then_as_eu_stack(const struct fixture *f)
{
	static struct seen truth;
	int compared = 0;

	truth_read(f->p.pid, &truth);
	for (int i = 0; i < f->seen.rows; i++) {
		const struct stack_seen *got = &f->seen.row[i], *want;

		if (got->n == 0)
			continue;
		want = row_of(&truth, got->tid);
		assert_int_equal(got->n, want->n);
		assert_memory_equal(got->pc, want->pc, sizeof(got->pc[0]) * (size_t)got->n);
		for (int k = 0; k < got->n; k++)
			assert_int_equal(got->flags[k] & ~GRT_FRAME_SYSTEM, 0);
		compared++;
	}
	assert_int_equal(compared, THREADS);
}

/* Where in a stack a function is, from a frame on; -1: nowhere. */
static int find(struct seen *v, const struct stack_seen *s, const char *function)
{
	for (int i = 0; i < s->n; i++)
		if (!strcmp(text_of(v, GRT_TEXT_FUNCTION, s->pc[i]), function))
			return i;
	return -1;
}

static int first_own(const struct stack_seen *s)
{
	int i = 0;

	while (i < s->n && s->flags[i] & GRT_FRAME_SYSTEM)
		i++;
	return i;
}

/* Each stack that was taken names what many.c did, and its own code first. */
static void then_named(struct fixture *f, const char *own)
{
	struct seen *v = &f->seen;

	for (int i = 0; i < v->rows; i++) {
		struct stack_seen *s = &v->row[i];
		int at;

		if (s->n == 0)
			continue;
		at = find(v, s, "innermost");
		assert_true(at > 0);
		assert_int_equal(find(v, s, "middle"), at + 1);
		assert_int_equal(find(v, s, "outermost"), at + 2);
		assert_memory_equal(text_of(v, GRT_TEXT_LINE, s->pc[at]), "many.c:", 7);
		assert_string_equal(text_of(v, GRT_TEXT_FUNCTION, s->pc[first_own(s)]), own);
	}
}

static void given_frame_pointers_when_taken_then_as_eu_stack(void **state)
{
	struct fixture f;

	(void)state;
	given_many(&f, "many", "read", false);
	then_named(&f, "innermost");
	then_as_eu_stack(&f);
	end(&f);
}

static void given_no_frame_pointers_when_taken_then_as_eu_stack(void **state)
{
	struct fixture f;

	(void)state;
	given_many(&f, "many-bare", "read", false);
	then_named(&f, "innermost");
	then_as_eu_stack(&f);
	end(&f);
}

static void given_foreign_calls_when_taken_then_the_goroutines_stack_goes_on(void **state)
{
	static const char *const program[] = { "many", "many-bare" };
	struct fixture f;

	(void)state;
	for (int i = 0; i < 2; i++) {
		given_many(&f, program[i], "foreign", false);
		then_named(&f, "foreign_pause");
		then_as_eu_stack(&f);
		end(&f);
	}
}

/* Only pc and sp are known then: the call's own beginning leads on. */
static void given_no_iterator_when_taken_then_the_call_leads_on(void **state)
{
	static const char *const program[] = { "many", "many-bare" };
	struct fixture f;

	(void)state;
	for (int i = 0; i < 2; i++) {
		given_many(&f, program[i], "read", true);
		then_named(&f, "innermost");
		end(&f);
	}
}

static void given_a_sleeping_thread_when_taken_then_the_kernel_names_its_wait(void **state)
{
	struct fixture f;
	bool found;

	(void)state;
	given_many(&f, "many", "read", false);
	for (int i = 0; i < f.seen.rows; i++) {
		const struct stack_seen *s = &f.seen.row[i];

		found = s->n == 0;
		for (int k = 0; k < s->nkernel; k++)
			found |= strstr(text_of(&f.seen, GRT_TEXT_KERNEL, s->kernel[k]),
					"pipe_read") != NULL;
		assert_true(found);
	}
	end(&f);
}

static void given_names_that_were_sent_when_taken_again_then_none(void **state)
{
	struct fixture f;

	(void)state;
	given_many(&f, "many", "read", false);
	f.seen.texts = 0;
	assert_int_equal(f.s->ops->snapshot(f.s, on_record, &f.seen), 0);
	assert_int_equal(stacks_in(&f.seen), THREADS);
	assert_int_equal(f.seen.texts, 0);
	end(&f);
}

/* The descriptors are 23 copies of the end of one pipe, in blocking mode. */
static void given_pipes_in_blocking_mode_when_taken_then_it_is_said(void **state)
{
	struct fixture f;
	int notes = 0;

	(void)state;
	given_many(&f, "many", "read", false);
	for (int i = 0; i < f.seen.nnames; i++)
		notes += f.seen.name[i].what == GRT_TEXT_FD_NOTE &&
			 !strcmp(f.seen.name[i].text, "pipe in blocking mode");
	assert_int_equal(notes, THREADS);
	end(&f);
}

/* Of many-stripped; "": it has none. */
static void build_id(char id[64])
{
	char command[4400];
	FILE *in;

	snprintf(command, sizeof(command), "readelf -n '%s' | sed -n 's/.*Build ID: //p'",
		 e2e_path("TRACEE_DIR", "many-stripped"));
	in = popen(command, "re");
	id[0] = '\0';
	if (in && !fgets(id, 64, in))
		id[0] = '\0';
	if (in)
		pclose(in);
	id[strcspn(id, "\n")] = '\0';
}

/* The path of its debug file; false: it has no build-id. */
static bool debug_path(char *ret, size_t bytes)
{
	char id[64];

	build_id(id);
	snprintf(ret, bytes, "/usr/lib/debug/.build-id/%.2s", id);
	mkdir("/usr/lib/debug", 0755);
	mkdir("/usr/lib/debug/.build-id", 0755);
	mkdir(ret, 0755);
	snprintf(ret, bytes, "/usr/lib/debug/.build-id/%.2s/%s.debug", id, id + 2);
	return strlen(id) > 2;
}

static void given_no_symbols_when_taken_then_modules_and_offsets(void **state)
{
	char path[256], id[64], module[96];
	struct fixture f;

	(void)state;
	if (debug_path(path, sizeof(path)))
		unlink(path); /* of a test that was killed */
	build_id(id);
	snprintf(module, sizeof(module), "many-stripped %s", id);
	given_many(&f, "many-stripped", "read", false);
	for (int i = 0; i < f.seen.rows; i++) {
		const struct stack_seen *s = &f.seen.row[i];

		for (int k = 0; k < s->n; k++)
			assert_memory_equal(text_of(&f.seen, GRT_TEXT_FUNCTION, s->pc[k]),
					    "many-stripped+0x", 16);
		for (int k = 0; k < s->n && id[0]; k++)
			assert_string_equal(text_of(&f.seen, GRT_TEXT_BUILD_ID, s->pc[k]), module);
	}
	then_as_eu_stack(&f);
	end(&f);
}

static void given_a_debug_file_by_build_id_when_taken_then_functions_and_lines(void **state)
{
	struct fixture f;
	char path[256];
	bool made;

	(void)state;
	assert_true(debug_path(path, sizeof(path)));
	unlink(path); /* of a test that was killed */
	made = symlink(e2e_path("TRACEE_DIR", "many-stripped.debug"), path) == 0;
	if (!made)
		print_message("no debug file can be put at %s: %s\n", path, strerror(errno));
	assert_true(made);
	given_many(&f, "many-stripped", "read", false);
	unlink(path);
	*strrchr(path, '/') = '\0';
	rmdir(path); /* unless others use it */
	then_named(&f, "innermost");
	end(&f);
}

/* Its file is gone: it is opened as it is mapped. */
static void given_a_deleted_program_when_taken_then_named_all_the_same(void **state)
{
	char copy[] = "/tmp/many.XXXXXX", command[8400], back[4096];
	struct fixture f;
	int fd = mkstemp(copy);

	(void)state;
	assert_true(fd >= 0);
	close(fd);
	snprintf(command, sizeof(command), "cp '%s' %s && chmod 700 %s",
		 e2e_path("TRACEE_DIR", "many-bare"), copy, copy);
	assert_int_equal(system(command), 0);
	snprintf(back, sizeof(back), "%s", getenv("TRACEE_DIR"));
	setenv("TRACEE_DIR", "/tmp", 1);
	given_many(&f, copy + 5, "read", false);
	then_named(&f, "innermost");
	end(&f);
	unlink(copy);
	setenv("TRACEE_DIR", back, 1);
}

/* Behind the snapshot, when they are asked for: the same, the kernel's part included. */
static void given_stacks_on_demand_when_asked_for_then_as_eu_stack(void **state)
{
	struct fixture f;

	(void)state;
	given_many(&f, "many", "read", false);
	f.s->ops->close(f.s);
	f.s = source_live_open(f.t,
			       &(struct source_opts){ .want_names = true,
						      .want_stacks = true,
						      .stacks_on_demand = true },
			       &(int){ 0 });
	assert_non_null(f.s);
	assert_int_equal(f.s->ops->snapshot(f.s, on_record, &f.seen), 0);
	assert_int_equal(stacks_in(&f.seen), 0);
	f.seen.is_late = true;
	f.s->ops->stacks(f.s, on_record, &f.seen);
	then_as_eu_stack(&f);
	for (int i = 0; i < f.seen.rows; i++)
		assert_true(f.seen.row[i].n == 0 || f.seen.row[i].nkernel > 0);
	end(&f);
}

static bool has_eu_stack(void)
{
	return system("eu-stack --version >/dev/null 2>&1") == 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(given_frame_pointers_when_taken_then_as_eu_stack),
		cmocka_unit_test(given_no_frame_pointers_when_taken_then_as_eu_stack),
		cmocka_unit_test(given_foreign_calls_when_taken_then_the_goroutines_stack_goes_on),
		cmocka_unit_test(given_no_iterator_when_taken_then_the_call_leads_on),
		cmocka_unit_test(given_a_sleeping_thread_when_taken_then_the_kernel_names_its_wait),
		cmocka_unit_test(given_stacks_on_demand_when_asked_for_then_as_eu_stack),
		cmocka_unit_test(given_names_that_were_sent_when_taken_again_then_none),
		cmocka_unit_test(given_pipes_in_blocking_mode_when_taken_then_it_is_said),
		cmocka_unit_test(given_no_symbols_when_taken_then_modules_and_offsets),
		cmocka_unit_test(
			given_a_debug_file_by_build_id_when_taken_then_functions_and_lines),
		cmocka_unit_test(given_a_deleted_program_when_taken_then_named_all_the_same),
	};

	e2e_init();
	if (geteuid() != 0)
		e2e_skip("kernel stacks and a debug file below /usr/lib/debug need root");
	if (!has_eu_stack())
		e2e_skip("eu-stack (package elfutils) is not installed");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
