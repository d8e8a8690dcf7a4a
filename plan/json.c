/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Strict JSON (contract in plan/json.h). A scanner checks grammar and limits without allocating,
 * and json-c then builds the value. The scanner counts keys. If the objects of json-c have fewer
 * keys, an object has a key twice, and a second scan finds the key.
 */
#include "plan/json.h"

#include "plan/internal.h"

typedef struct Scanner {
    const char *start, *p, *end;
    const PlanJsonLimits *limits;
    size_t values, keys;
    unsigned depth;
    bool find; /* second scan: look for a key that an object has twice */
    const char *problem;
    char *twice; /* the key found, g_free */
} Scanner;

static bool json_syntax_fail(Scanner *s, const char *problem)
{
    s->problem = problem;
    return false;
}

static void skip_space(Scanner *s)
{
    while (s->p < s->end && strchr(" \t\r\n", *s->p) && *s->p) {
        s->p++;
    }
}

static bool next_is(Scanner *s, char c)
{
    skip_space(s);
    if (s->p == s->end || *s->p != c) {
        return false;
    }
    s->p++;
    return true;
}

static bool scan_escape(Scanner *s)
{
    if (s->p < s->end && *s->p == 'u') {
        for (unsigned i = 1; i <= 4; i++) {
            if (s->end - s->p <= i || !g_ascii_isxdigit(s->p[i])) {
                return json_syntax_fail(s, "\\u needs four hexadecimal digits");
            }
        }
        s->p += 5;
        return true;
    }
    if (s->p == s->end || !*s->p || !strchr("\"'\\/bfnrt", *s->p)) {
        return json_syntax_fail(s, "a string has an unknown escape sequence");
    }
    s->p++;
    return true;
}

/* Scan a string. s->p is after the opening quote, and on return after the closing quote. */
static bool scan_string(Scanner *s, char quote)
{
    const char *begin = s->p;

    while (s->p < s->end && *s->p != quote) {
        unsigned char c = (unsigned char)*s->p++;

        if (c < 0x20) {
            return json_syntax_fail(s, "a string has a control character");
        }
        if (c == '\\' && !scan_escape(s)) {
            return false;
        }
    }
    if (s->p == s->end) {
        return json_syntax_fail(s, "the text ends inside a string");
    }
    if (!g_utf8_validate(begin, s->p - begin, NULL)) {
        return json_syntax_fail(s, "a string is not valid UTF-8");
    }
    s->p++;
    return true;
}

/* Return whether the word is a number (RFC 8259 section 6). */
static bool is_number(const char *word, bool *integer)
{
    const char *p = word + (*word == '-'), *q = p + strspn(p, "0123456789");

    *integer = true;
    if (q == p || (*p == '0' && q != p + 1)) {
        return false;
    }
    if (*q == '.') {
        *integer = false;
        p = q + 1;
        q = p + strspn(p, "0123456789");
    }
    if (q != p && (*q | 0x20) == 'e') {
        *integer = false;
        p = q + 1 + (q[1] == '+' || q[1] == '-');
        q = p + strspn(p, "0123456789");
    }
    return q != p && !*q;
}

static bool scan_word(Scanner *s)
{
    static const char *const literals[] = { "true", "false", "null", NULL };
    char word[PLAN_JSON_NUMBER_MAX + 1];
    size_t n = 0;
    bool integer;

    while (s->p + n < s->end && (g_ascii_isalnum(s->p[n]) || strchr("+-.", s->p[n])) && s->p[n]) {
        if (++n > PLAN_JSON_NUMBER_MAX) {
            return json_syntax_fail(s, "a number is too long");
        }
    }
    memcpy(word, s->p, n);
    word[n] = '\0';
    if (!g_strv_contains(literals, word)) {
        if (!is_number(word, &integer)) {
            return json_syntax_fail(s, n ? "a word is not a JSON value" : "a value is expected");
        }
        if (integer &&
            !(*word == '-' ? g_ascii_string_to_signed(word, 10, G_MININT64, 0, NULL, NULL)
                           : g_ascii_string_to_unsigned(word, 10, 0, G_MAXUINT64, NULL, NULL))) {
            return json_syntax_fail(s, "a number does not fit 64 bits");
        }
    }
    s->p += n;
    return true;
}

static bool scan_value(Scanner *s);

/* Return whether the object has the key already. Used by the second scan. */
static bool seen_before(Scanner *s, GHashTable **seen, const char *key, size_t len)
{
    if (!*seen) {
        *seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    }
    if (!g_hash_table_add(*seen, g_strndup(key, len))) {
        s->twice = g_strndup(key, len);
    }
    return s->twice;
}

static bool scan_member(Scanner *s, GHashTable **seen)
{
    const char *key;
    char quote;

    skip_space(s);
    quote = s->p < s->end ? *s->p : '\0';
    if (quote != '"' && quote != '\'') {
        return json_syntax_fail(s, "a key is expected");
    }
    key = ++s->p;
    if (!scan_string(s, quote)) {
        return false;
    }
    s->keys++;
    if (s->find && seen_before(s, seen, key, s->p - key - 1)) {
        return false;
    }
    return next_is(s, ':') ? scan_value(s) : json_syntax_fail(s, "':' is expected");
}

static bool scan_members(Scanner *s, char close, bool object, GHashTable **seen)
{
    if (next_is(s, close)) {
        return true;
    }
    do {
        if (object ? !scan_member(s, seen) : !scan_value(s)) {
            return false;
        }
    } while (next_is(s, ','));
    return next_is(s, close) ||
           json_syntax_fail(s, s->p == s->end ? "the text ends too early"
                                              : "',' or the closing bracket is expected");
}

static bool scan_nested(Scanner *s, bool object)
{
    g_autoptr(GHashTable) seen = NULL;
    bool ok;

    if (s->depth == s->limits->depth) {
        return json_syntax_fail(s, "the text is nested too deeply");
    }
    s->depth++;
    ok = scan_members(s, object ? '}' : ']', object, &seen);
    s->depth--;
    return ok;
}

static bool scan_value(Scanner *s)
{
    char c;

    skip_space(s);
    if (s->p == s->end) {
        return json_syntax_fail(s, "the text ends too early");
    }
    if (++s->values > s->limits->values) {
        return json_syntax_fail(s, "the text has too many values");
    }
    c = *s->p;
    if (c == '{' || c == '[') {
        s->p++;
        return scan_nested(s, c == '{');
    }
    if (c == '"' || c == '\'') {
        s->p++;
        return scan_string(s, c);
    }
    return scan_word(s);
}

static bool json_scan_value(Scanner *s)
{
    if (!scan_value(s)) {
        return false;
    }
    skip_space(s);
    return s->p == s->end || json_syntax_fail(s, "more text follows the end");
}

/* Return the number of members of all objects in @o. The scanner has limited the depth of the
 * recursion. */
static size_t count_members(struct json_object *o)
{
    size_t n = 0;

    if (json_object_is_type(o, json_type_array)) {
        for (size_t i = 0; i < json_object_array_length(o); i++) {
            n += count_members(json_object_array_get_idx(o, i));
        }
    } else if (json_object_is_type(o, json_type_object)) {
        json_object_object_foreach(o, key, value)
        {
            (void)key;
            n += 1 + count_members(value);
        }
    }
    return n;
}

static bool fail_twice(Scanner *s, const char *what, GError **err)
{
    Scanner again = { s->start, s->start, s->end, s->limits, .find = true };
    g_autofree char *quoted = NULL;

    json_scan_value(&again);
    quoted = again.twice ? plan_quote(again.twice) : g_strdup("a key");
    g_free(again.twice);
    return plan_fail(err, "%s has %s twice in one object", what, quoted);
}

static struct json_object *json_build_value(const char *text, size_t len, unsigned depth,
                                            const char **problem)
{
    struct json_tokener *tok = json_tokener_new_ex((int)depth + 1);
    enum json_tokener_error state;
    struct json_object *o;

    json_tokener_set_flags(tok, JSON_TOKENER_VALIDATE_UTF8);
    o = json_tokener_parse_ex(tok, text, (int)len);
    if (!o && json_tokener_get_error(tok) == json_tokener_continue) {
        o = json_tokener_parse_ex(tok, "", 1); /* a number at the very end */
    }
    state = json_tokener_get_error(tok);
    *problem = state == json_tokener_success ? "the value is null" : json_tokener_error_desc(state);
    json_tokener_free(tok);
    return o;
}

struct json_object *plan_json_read(const char *text, size_t len, const char *what,
                                   const PlanJsonLimits *limits, GError **err)
{
    Scanner s = { text, text, text + len, limits };
    struct json_object *o;

    if (len > MIN(limits->bytes, (size_t)INT_MAX - 1)) {
        plan_fail(err, "%s is %zu bytes long: at most %zu are accepted", what, len, limits->bytes);
        return NULL;
    }
    if (!json_scan_value(&s)) {
        plan_fail(err, "%s is not valid JSON: %s at byte %zu", what, s.problem,
                  (size_t)(s.p - text));
        return NULL;
    }
    o = json_build_value(text, len, limits->depth, &s.problem);
    if (!o) {
        plan_fail(err, "%s is not valid JSON: %s", what, s.problem);
    } else if (count_members(o) != s.keys) {
        json_object_put(o);
        fail_twice(&s, what, err);
        return NULL;
    }
    return o;
}
