/* SPDX-License-Identifier: MIT */
/*
 * check.h - what came of the checks of `gotrace check`, and how it is shown: as text, TAP, JUnit XML
 * or JSON. Written by cmd/check_judge.c; here it is only read. All of it is in the structs themselves:
 * evidence is of a moment that the model does not keep.
 */
#ifndef GOTRACE_VIEW_CHECK_H
#define GOTRACE_VIEW_CHECK_H

#include "../model/brief.h"
#include "view.h"

#define CHECK_THREADS 5 /* shown; the rest is counted */
#define CHECK_FRAMES 6
#define CHECK_WHY_BYTES 512

enum check_answer { CHECK_HOLDS, CHECK_VIOLATED, CHECK_INCONCLUSIVE, CHECK_ANSWERS };
enum check_unit { CHECK_COUNT, CHECK_NS, CHECK_PPM };

/* One thread at the moment of a violation, or a call that was over by then (tid 0). */
struct check_thread {
	int64_t m, p; /* -1: none */
	uint32_t tid;
	uint64_t g; /* 0: none */
	enum grt_mstate state;
	bool has_for, is_least;
	uint64_t for_ns;
	int32_t nr;            /* GRT_NR_FOREIGN, GRT_NR_NONE */
	char call[CALL_BYTES]; /* with names; empty: only nr is known */
	int fd;                /* -1: none */
	char fd_name[BRIEF_BYTES];
	bool has_heir;
	int64_t heir_m; /* who got its P, -1: nobody */
	uint64_t heir_ns;
	char frame[CHECK_FRAMES][BRIEF_BYTES]; /* innermost first */
	size_t frames;
};

/* A hand-off: the slowest of all. */
struct check_handoff {
	bool is_set;
	int64_t p, from_m, to_m;
	uint64_t g, detect_ns, dispatch_ns, total_ns;
	int32_t nr;
};

struct check_result {
	const char *text; /* as the user wrote it */
	const char *quantity, *op;
	enum check_unit unit;
	uint64_t bound;
	enum check_answer answer;
	char why[CHECK_WHY_BYTES];
	bool has_value;
	uint64_t value;   /* at the violation; else the last */
	uint64_t samples; /* that a percentile is made from */
	bool has_samples;
	uint64_t after_ns; /* the violation, since the first look */
	struct check_thread thread[CHECK_THREADS];
	size_t threads, threads_more;
	struct check_handoff handoff;
};

struct check_results {
	struct check_result *row;
	size_t n;
	uint64_t looks;
};

/* Its options are a struct check_results. */
extern const struct report report_check;

size_t check_count(const struct check_results *all, enum check_answer answer);
const char *check_answer_word(enum check_answer a);
/* "134ms", "64", "0.35%" */
char *check_value(char buf[32], enum check_unit unit, uint64_t v);
/* What proves it, a line each, without terminal control characters; none: "". The caller frees. */
char *check_evidence(const struct check_result *r);

#endif
