/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Expressions and formats of the human monitor, as in `print/x 4*0x1000` and `xp/8xb ADDRESS`.
 */
#ifndef MONITOR_HMP_EXPR_INTERNAL_H
#define MONITOR_HMP_EXPR_INTERNAL_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct HmpFormat {
    uint64_t count;
    char conversion; /* x d u o c */
    unsigned size;   /* bytes: 1, 2, 4 or 8 */
} HmpFormat;

/**
 * hmp_format_parse() - Parse an optional "/[COUNT][xduoci][bhwg]"
 * @text: start of the text; advanced past the format and the blanks after it
 * @format: result; the caller sets the defaults
 * @err: message about the first invalid character
 *
 * Return: false with an error if the format is malformed.
 */
bool hmp_format_parse(const char **text, HmpFormat *format, GError **err);

/* Set *value to a register of the first CPU. Return false if there is none of this name. */
typedef bool HmpRegister(void *opaque, const char *name, uint64_t *value);

/**
 * hmp_expr_eval() - Evaluate an expression that occupies the rest of a line
 * @text: the expression: numbers in C notation, 'c', $register, parentheses, and the operators
 *        (tightest first) unary + - ~; * / %; & | ^; + -
 * @reg: reads registers
 * @opaque: its argument
 * @value: result, modulo 2^64
 * @err: message
 *
 * Return: false with an error if the expression is malformed.
 */
bool hmp_expr_eval(const char *text, HmpRegister *reg, void *opaque, uint64_t *value, GError **err);

/* Append a value of @bytes bytes in the format @conversion. @width: minimum number of columns; in
 * hexadecimal, the number of digits after 0x. */
void hmp_format_value(GString *out, char conversion, uint64_t value, int width, unsigned bytes);

#endif
