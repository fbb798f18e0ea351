// SPDX-License-Identifier: MIT
//
// status: one sentence that says what it comes to; a table, a row for each account, the most urgent first; below it what is
// not fine, with its remedy. On a terminal the table is no wider than that, and the less needed columns are there if there
// is room; elsewhere all of them are.
#include <limits.h>

#include "base/clock.h"
#include "base/terminal.h"
#include "report/bar.h"
#include "report/text.h"

#define BAR_MOST      22
#define BAR_LEAST     12
#define ACCOUNT_MOST  60 // where nothing limits the line
#define ACCOUNT_GOOD  20 // a column that may be missing is dropped before less of the name is shown
#define ACCOUNT_LEAST 8
#define GAP	      2

enum column {
	COLUMN_ACCOUNT,
	COLUMN_BAR,
	COLUMN_LEFT,
	COLUMN_COPIES,
	COLUMN_STATE,
	COLUMN_DUE,
	COLUMN_REFRESHED,
	COLUMN_EXPIRES,
	COLUMN_GENERATION,
	COLUMN_IDENTITY,
	COLUMNS_N,
};

static const char *const titles[] = {
	"ACCOUNT", "TIME LEFT", "",	   "COPIES",	 "STATE",
	"DUE IN",  "REFRESHED", "EXPIRES", "GENERATION", "IDENTITY",
};

struct row {
	const struct account *account;
	const struct result *result;
	char *apart; // from others of its name
	char *cells[COLUMNS_N];
	enum colour colours[COLUMNS_N];
	int rank;
	int64_t next_ms;
};

struct table {
	struct row *rows;
	size_t n;
	int widths[COLUMNS_N]; // 0: it is not shown
	bool lines;	       // bars are drawn, not written
};

// ---- cells

static const char *state_word(const struct result *result)
{
	static const char *const planned[] = {
		[DECISION_REFRESH] = "due",
		[DECISION_ADOPT] = "to adopt",
		[DECISION_MIRROR] = "to mirror",
		[DECISION_RECOVER] = "to recover",
	};

	if (result->outcome == OUTCOME_PLANNED && result->decision < ARRAY_SIZE(planned) &&
	    planned[result->decision])
		return planned[result->decision];
	return result->outcome == OUTCOME_NEEDS_LOGIN ? "needs login"
	       : result->outcome == OUTCOME_UNCHANGED ? "fresh"
						      : outcome_name(result->outcome);
}

// "2h ago": its largest unit is enough.
static char *ago(const struct report *report, int64_t at_ms)
{
	char *text = duration_format((report->now_ms - at_ms) / SECOND_MS);

	text[strcspn(text, "dhms") + 1] = '\0';
	return text;
}

// Who made the live generation: "us 2h ago", or the agent in whose store it was found; "-": nobody whom we saw.
static char *refreshed(const struct report *report, const struct account *a)
{
	const struct generation *live = &a->verdict.record.live;
	const char *from = a->verdict.record.adopted_from, *who = live->answered ? "us" : "others";
	_cleanup_free_ char *when = ago(report, live->at_ms), *safe = NULL;

	if (!a->recorded || !live->at_ms || (!live->answered && !from))
		return xstrdup("-");
	for (size_t i = 0; !live->answered && i < a->n_members; i++)
		if (string_equal(a->members[i].store->path, from) && a->members[i].store->agent)
			who = a->members[i].store->agent;
	safe = string_printable(who, 40);
	return live->at_ms > report->now_ms ? xstrdup(safe) : xasprintf("%s %s ago", safe, when);
}

static char *due(const struct report *report, const struct account *a)
{
	int64_t next_ms = report_next_try_ms(a);

	if (!next_ms)
		return xstrdup("-");
	return next_ms > report->now_ms ? duration_format((next_ms - report->now_ms) / SECOND_MS)
					: xstrdup("now");
}

static size_t copies_current(const struct account *a)
{
	size_t n = 0;

	for (size_t i = 0; i < a->n_members; i++)
		n += verdict_of(a, &a->members[i])->state == COPY_CURRENT;
	return n;
}

static void fill_times(const struct report *report, const struct account *a, struct row *row)
{
	const struct schedule *s = &a->verdict.schedule;
	int64_t expires_ms = shown_expiry_ms(s), left_s = (expires_ms - report->now_ms) / SECOND_MS;

	row->cells[COLUMN_BAR] = xstrdup("");
	row->cells[COLUMN_DUE] = due(report, a);
	row->cells[COLUMN_EXPIRES] = expires_ms ? time_format_local(expires_ms) : xstrdup("-");
	row->cells[COLUMN_LEFT] = !expires_ms	? xstrdup("unknown")
				  : left_s <= 0 ? xstrdup("expired")
						: duration_format(left_s);
	row->colours[COLUMN_LEFT] = !expires_ms ? PLAIN : bar_colour(s, left_s);
}

static void fill(const struct report *report, const struct account *a, const struct result *result,
		 struct row *row)
{
	const struct fingerprint *live = &a->verdict.record.live.fingerprint;
	size_t current = copies_current(a);

	row->account = a;
	row->result = result;
	row->apart = told_apart(report, a);
	row->cells[COLUMN_ACCOUNT] = string_printable(a->record.profile, 120);
	row->cells[COLUMN_COPIES] = xasprintf("%zu/%zu", current, a->n_members);
	row->colours[COLUMN_COPIES] = current < a->n_members ? YELLOW : PLAIN;
	row->cells[COLUMN_STATE] = xstrdup(state_word(result));
	row->colours[COLUMN_STATE] = outcome_colour(result->outcome);
	row->cells[COLUMN_REFRESHED] = refreshed(report, a);
	row->cells[COLUMN_GENERATION] = fingerprint_empty(*live)
						? xstrdup("-")
						: xasprintf("%.*s", FINGERPRINT_SHOWN, live->hex);
	row->cells[COLUMN_IDENTITY] =
		string_printable(identity_label(&a->verdict.record.identity), 120);
	fill_times(report, a, row);
	row->next_ms = report_next_try_ms(a);
	row->rank = outcome_colour(result->outcome) == RED	? 0
		    : outcome_colour(result->outcome) == YELLOW ? 1
		    : result->outcome == OUTCOME_SKIPPED	? 3
								: 2;
}

// ---- layout

// The name as it fits; what tells it from its namesakes is the last to go.
static char *account_cell(const struct row *row, int width)
{
	const char *name = row->cells[COLUMN_ACCOUNT];
	int apart = row->apart ? text_columns(row->apart) + 3 : 0, room = width - apart;
	_cleanup_free_ char *shorter = NULL, *whose = NULL;

	if (!row->apart)
		return text_cut(name, width);
	if (room < width / 3)
		room = width / 3;
	shorter = text_cut(name, room);
	whose = text_cut(row->apart, width - text_columns(shorter) - 3);
	return xasprintf("%s (%s)", shorter, whose);
}

static int gap_before(enum column c)
{
	return c == COLUMN_ACCOUNT ? 0
	       : c == COLUMN_LEFT  ? 1
				   : GAP; // the bar and its words are one
}

static int total(const struct table *t)
{
	int sum = 0;

	for (enum column c = 0; c < COLUMNS_N; c++)
		sum += t->widths[c] ? t->widths[c] + gap_before(c) : 0;
	return sum;
}

// How much of a column's width can be done without.
static int slack(const struct table *t, enum column c, int least)
{
	return t->widths[c] > least ? t->widths[c] - least : 0;
}

static void shrink(struct table *t, enum column c, int least, int width)
{
	int over = total(t) - width, most = slack(t, c, least);

	if (over > 0)
		t->widths[c] -= over < most ? over : most;
}

// First go the columns that are only for those who have room, then a longer bar, then what is not needed most, then names.
static void fit(struct table *t, int width)
{
	static const enum column dispensable[] = {COLUMN_REFRESHED, COLUMN_BAR, COLUMN_COPIES};

	if (!width) {
		t->widths[COLUMN_ACCOUNT] -= slack(t, COLUMN_ACCOUNT, ACCOUNT_MOST);
		return;
	}
	for (enum column c = COLUMN_IDENTITY; c > COLUMN_REFRESHED; c--)
		if (total(t) > width)
			t->widths[c] = 0;
	for (size_t i = 0; i < ARRAY_SIZE(dispensable); i++)
		if (total(t) - slack(t, COLUMN_BAR, BAR_LEAST) -
			    slack(t, COLUMN_ACCOUNT, ACCOUNT_GOOD) >
		    width)
			t->widths[dispensable[i]] = 0;
	shrink(t, COLUMN_BAR, BAR_LEAST, width);
	shrink(t, COLUMN_ACCOUNT, ACCOUNT_LEAST, width);
}

static void measure(struct table *t)
{
	for (enum column c = 0; c < COLUMNS_N; c++) {
		t->widths[c] = (int)strlen(titles[c]);
		for (size_t i = 0; i < t->n; i++) {
			const struct row *row = &t->rows[i];
			int columns = text_columns(row->cells[c]);
			if (c == COLUMN_ACCOUNT && row->apart)
				columns += text_columns(row->apart) + 3;
			if (columns > t->widths[c])
				t->widths[c] = columns;
		}
	}
	t->widths[COLUMN_BAR] = BAR_MOST;
}

// ---- printing

// `at`: where the line has come to, and shall; a blank is printed when something follows it.
static void put_cell(const struct table *t, enum column c, const char *text, enum colour colour,
		     int *at, FILE *out)
{
	int begins = 0;

	if (!t->widths[c] || !*text)
		return;
	for (enum column before = 0; before < c; before++)
		begins += t->widths[before] ? t->widths[before] + gap_before(before) : 0;
	begins += gap_before(c);
	if (*at > 0 && begins < *at + gap_before(c)) // behind a name that nothing cuts
		begins = *at + gap_before(c);
	fprintf(out, "%*s%s%s%s", begins - *at, "", colour == PLAIN ? "" : paint(colour), text,
		colour == PLAIN ? "" : paint(PLAIN));
	*at = begins + text_columns(text);
}

static void print_row(const struct report *report, const struct table *t, const struct row *row,
		      FILE *out)
{
	const struct schedule *s = &row->account->verdict.schedule;
	int64_t expires_ms = shown_expiry_ms(s), left_s = (expires_ms - report->now_ms) / SECOND_MS;
	_cleanup_free_ char *name =
		account_cell(row, report->width ? t->widths[COLUMN_ACCOUNT] : INT_MAX);
	_cleanup_free_ char *bar =
		expires_ms ? bar_draw(s, left_s, t->widths[COLUMN_BAR], t->lines) : xstrdup("");
	int at = 0;

	for (enum column c = 0; c < COLUMNS_N; c++)
		put_cell(t, c,
			 c == COLUMN_ACCOUNT ? name
			 : c == COLUMN_BAR   ? bar
					     : row->cells[c],
			 row->colours[c], &at, out);
	fputc('\n', out);
}

static void print_titles(const struct table *t, FILE *out)
{
	int at = 0;

	for (enum column c = 0; c < COLUMNS_N; c++)
		put_cell(t, c, titles[c], BOLD, &at, out);
	fputc('\n', out);
}

static int compare_rows(const void *left, const void *right)
{
	const struct row *a = left, *b = right;
	int64_t x = a->next_ms ? a->next_ms : INT64_MAX, y = b->next_ms ? b->next_ms : INT64_MAX;

	if (a->rank != b->rank)
		return a->rank - b->rank;
	if (x != y)
		return x < y ? -1 : 1;
	return strcmp(a->account->record.profile, b->account->record.profile);
}

static void add_rows(const struct report *report, struct table *t)
{
	const struct observation *o = &report->cycle->now;

	for (size_t i = 0; i < o->n_accounts; i++) {
		const struct result *result =
			results_find(&report->cycle->results, o->accounts[i]->record.key);
		if (result && account_is_shown(report, o->accounts[i], result))
			fill(report, o->accounts[i], result, array_add(&t->rows, &t->n));
	}
	if (t->n)
		qsort(t->rows, t->n, sizeof(*t->rows), compare_rows);
}

static void free_rows(struct table *t)
{
	for (size_t i = 0; i < t->n; i++) {
		free(t->rows[i].apart);
		for (enum column c = 0; c < COLUMNS_N; c++)
			free(t->rows[i].cells[c]);
	}
	free(t->rows);
}

// ---- below the table

// What is not fine, and whom somebody asked about.
static bool is_told_more_of(const struct report *report, const struct row *row)
{
	if (report->verbose || report->selected)
		return true;
	return row->result->outcome != OUTCOME_SKIPPED &&
	       (row->rank == 0 || row->result->outcome == OUTCOME_BUSY ||
		copies_current(row->account) < row->account->n_members ||
		report_lock_holder(report, row->account).pid);
}

static void print_more(const struct report *report, const struct table *t, FILE *out)
{
	const char *before = "\n";

	for (size_t i = 0; i < t->n; i++) {
		if (!is_told_more_of(report, &t->rows[i]))
			continue;
		fputs(before, out);
		report_account(report, t->rows[i].account, t->rows[i].result, 0, out);
		before = "";
	}
}

void report_status(const struct report *report, FILE *out)
{
	struct table t = {.lines = report->width && terminal_has_unicode()};

	if (report->cycle->results.n)
		report_health(report, out);
	add_rows(report, &t);
	if (t.n) {
		measure(&t);
		fit(&t, report->width);
		fputc('\n', out);
		print_titles(&t, out);
	}
	for (size_t i = 0; i < t.n; i++)
		print_row(report, &t, &t.rows[i], out);
	print_more(report, &t, out);
	if (!report->quiet) {
		fputs(t.n ? "\n" : "", out);
		report_summary(report, out);
	}
	free_rows(&t);
}
