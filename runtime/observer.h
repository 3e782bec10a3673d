/* SPDX-License-Identifier: MIT */
/*
 * observer.h - threads that only watch (grt_observer_mark). They never make a goroutine runnable, so
 * that they are no reason to withhold a deadlock verdict, and no threads of the program to a tracer, which
 * reads the table (layout.def).
 */
#ifndef GRT_OBSERVER_H
#define GRT_OBSERVER_H

#include "types.h"

/* Any thread; racing with a mark, either answer is right. */
bool observer_is(i32 tid);

#endif
