/* SPDX-License-Identifier: MIT */
/*
 * reader.pml - what an outside reader of the M's words may believe.
 *
 * The reader (a tracer, through process_vm_readv or BPF) reads call, then the fields that describe
 * the call and take, then call again. Claim: if both readings of call are equal and say IN, then
 * the fields are those of that call, and a TAKEN that was read, with its time, is of that call too.
 *
 * One M, NT takers, a store buffer as in take.pml; -DPSO lets stores overtake as on arm64. The two
 * fields F1 and F2 hold the tick of the call they belong to; so does the time of a take.
 * MUT_* and SEPSTAMP are ways to write or read that are wrong; cases lists them.
 */
#ifndef CALLS
#define CALLS 3
#endif
#ifndef NT
#define NT 1
#endif
#ifndef SBN
#define SBN 3
#endif
#define CALL 0
#define TAKE 1
#define F1 2
#define F2 3
#define SINCE 4
#define IN 1
#define FREE 0
#ifdef SEPSTAMP			/* the time in a word of its own: wrong */
#define TAKENV(t) 1
#else
#define TAKENV(t) (32+(t))	/* state and time in one word, as runtime/take.h has it */
#endif
#define ISTAKEN(v) ((v) == 1 || (v) >= 32)
#define CLAIM(x) (16+(x))

byte mem[5];
byte sbn, sba[SBN], sbv[SBN];
bit sbr[SBN];
bit done;
hidden byte k, h;

inline st_(adr, val, rel) {
	atomic { sbn < SBN -> d_step { sba[sbn] = adr; sbv[sbn] = val; sbr[sbn] = rel; sbn++ } }
}
#define st(a,v) st_(a,v,0)
#define str(a,v) st_(a,v,1)
inline slot(j) {
	mem[sba[j]] = sbv[j]; h = j;
	do
	:: h+1 < sbn -> sba[h] = sba[h+1]; sbv[h] = sbv[h+1]; sbr[h] = sbr[h+1]; h++
	:: else -> break
	od;
	sbn--; sba[sbn] = 0; sbv[sbn] = 0; sbr[sbn] = 0; h = 0
}
inline drain() {
	d_step {
		do
		:: sbn > 0 -> slot(0)
		:: else -> break
		od
	}
}
inline ld(adr, r) {
	d_step {
		r = mem[adr]; k = 0;
		do
		:: k < sbn ->
			if
			:: sba[k] == (adr) -> r = sbv[k]
			:: else
			fi;
			k++
		:: else -> break
		od;
		k = 0
	}
}

/* The store buffer drains when it likes. */
active proctype hw() {
end:	do
	:: atomic { sbn > 0 -> d_step { slot(0) } }
#ifdef PSO
	:: atomic { sbn > 1 && !sbr[1] && sba[0] != sba[1] -> d_step { slot(1) } }
	:: atomic { sbn > 2 && !sbr[2] && sba[2] != sba[1] && sba[2] != sba[0] -> d_step { slot(2) } }
#endif
	od
}

/* take_publish, take_enter; take_leave */
active proctype M() {
	byte t, tk;
	do
	:: t == CALLS -> break
	:: t < CALLS ->
		t++;
#ifdef MUT_INFIRST
		str(CALL, t*4+IN);
#endif
#ifdef MUT_FIELDSPLAIN
		st(F1, t);
		st(F2, t);
#else
		str(F1, t);		/* release: behind the last OUT (free on x86, stlr on arm64) */
		str(F2, t);
#endif
#ifndef MUT_INFIRST
#ifdef MUT_INPLAIN
		st(CALL, t*4+IN);
#else
		str(CALL, t*4+IN);
#endif
#endif
		skip;
		st(CALL, t*4);
again:		ld(TAKE, tk);
		if
		:: tk == FREE
		:: ISTAKEN(tk) -> st(TAKE, FREE)
		:: else ->
			atomic {
				drain();
				if
				:: mem[TAKE] == tk -> mem[TAKE] = FREE
				:: else -> goto again
				fi
			}
		fi;
		tk = 0
	od;
	drain();
	done = 1
}

/* take_p */
proctype T(byte me) {
	byte c0, now;
	bit ok;
end:	do
	:: done -> break
	:: else ->
		c0 = mem[CALL];
		if
		:: (c0 & IN) == 0
		:: else ->
			atomic {
				ok = (mem[TAKE] == FREE);
				if
				:: ok -> mem[TAKE] = CLAIM(me)
				:: else
				fi
			};
			if
			:: !ok
			:: else ->
				drain();
				if
				:: mem[CALL] == c0 ->
					now = c0/4;
#if defined(SEPSTAMP) && !defined(SEPLATE)
					mem[SINCE] = now;	/* before the commit: a loser may write late */
#endif
					atomic {
						if
						:: mem[TAKE] == CLAIM(me) -> mem[TAKE] = TAKENV(now)
						:: else -> ok = 0
						fi
					};
#if defined(SEPSTAMP) && defined(SEPLATE)
					if
					:: ok -> mem[SINCE] = now	/* after it: TAKEN is seen without a stamp */
					:: else
					fi
#endif
				:: else ->
					atomic {
						if
						:: mem[TAKE] == CLAIM(me) -> mem[TAKE] = FREE
						:: else
						fi
					}
				fi
			fi
		fi;
		c0 = 0; now = 0; ok = 0
	od
}

/* the reader */
active proctype R() {
	byte c1, c2, f1, f2, tk, si;
end:	do
	:: done -> break
	:: else ->
		c1 = mem[CALL];
		f1 = mem[F1];
		f2 = mem[F2];
		tk = mem[TAKE];
		si = mem[SINCE];
#ifdef MUT_SINGLE
		c2 = c1;
#else
		c2 = mem[CALL];
#endif
		if
		:: c1 == c2 && (c1 & IN) ->
			assert(f1 == c1/4 && f2 == c1/4);
#ifdef SEPSTAMP
			assert(tk != 1 || si == c1/4)
#else
			assert(tk < 32 || tk-32 == c1/4)
#endif
		:: else
		fi;
		c1 = 0; c2 = 0; f1 = 0; f2 = 0; tk = 0; si = 0
	od
}

init {
	run T(0);
#if NT > 1
	run T(1)
#endif
}
