/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Floating point: part of the dispatch function (interp.c has the macros). The arithmetic is
 * sem_fp's; here are registers, boxing and the rounding mode.
 */
#define S1 fp_unbox(FS1)
#define S2 fp_unbox(FS2)
#define S3 fp_unbox(cpu->f[op->aux >> 3 & 31])
#define D3 (cpu->f[op->aux >> 3 & 31])

/* The rounding mode of the instruction; a reserved one in frm makes it illegal. */
#define ROUNDING                                                                                   \
    unsigned rm = op->aux & 7;                                                                     \
    if (rm == FRM_DYN) {                                                                           \
        rm = cpu->frm;                                                                             \
        if (UNLIKELY(rm > FRM_RMM)) {                                                              \
            TRAP(CAUSE_ILLEGAL, (uint32_t)op->imm);                                                \
        }                                                                                          \
    }

#define FP_OP(id, dst, expr)                                                                       \
    CASE(id)                                                                                       \
    {                                                                                              \
        uint8_t *fl = &cpu->fflags;                                                                \
        (void)fl;                                                                                  \
        dst = (expr);                                                                              \
        NEXT;                                                                                      \
    }
#define FP_ROUND(id, dst, expr)                                                                    \
    CASE(id)                                                                                       \
    {                                                                                              \
        uint8_t *fl = &cpu->fflags;                                                                \
        ROUNDING                                                                                   \
        dst = (expr);                                                                              \
        NEXT;                                                                                      \
    }

CASE(FP_CHECK)
{
    if (UNLIKELY(!(cpu->mstatus & MSTATUS_FS))) {
        TRAP(CAUSE_ILLEGAL, (uint32_t)op->imm);
    }
    cpu->mstatus |= MSTATUS_FS;
    NEXT;
}

#define BINARY(ID, fn)                                                                             \
    FP_ROUND(ID##_S, FD, fp_box(fn##_s(S1, S2, rm, fl)))                                           \
    FP_ROUND(ID##_D, FD, fn##_d(FS1, FS2, rm, fl))
BINARY(FADD, sem_fadd)
BINARY(FSUB, sem_fsub)
BINARY(FMUL, sem_fmul)
BINARY(FDIV, sem_fdiv)
FP_ROUND(FSQRT_S, FD, fp_box(sem_fsqrt_s(S1, rm, fl)))
FP_ROUND(FSQRT_D, FD, sem_fsqrt_d(FS1, rm, fl))

#define FUSED(ID, fn)                                                                              \
    FP_ROUND(ID##_S, FD, fp_box(fn##_s(S1, S2, S3, rm, fl)))                                       \
    FP_ROUND(ID##_D, FD, fn##_d(FS1, FS2, D3, rm, fl))
FUSED(FMADD, sem_fmadd)
FUSED(FMSUB, sem_fmsub)
FUSED(FNMSUB, sem_fnmsub)
FUSED(FNMADD, sem_fnmadd)

#define SIGN(ID, fn)                                                                               \
    FP_OP(ID##_S, FD, fp_box(fn##_s(S1, S2)))                                                      \
    FP_OP(ID##_D, FD, fn##_d(FS1, FS2))
SIGN(FSGNJ, sem_fsgnj)
SIGN(FSGNJN, sem_fsgnjn)
SIGN(FSGNJX, sem_fsgnjx)

#define MIN_MAX(ID, fn)                                                                            \
    FP_OP(ID##_S, FD, fp_box(fn##_s(S1, S2, fl)))                                                  \
    FP_OP(ID##_D, FD, fn##_d(FS1, FS2, fl))
MIN_MAX(FMIN, sem_fmin)
MIN_MAX(FMAX, sem_fmax)

#define COMPARE(ID, fn)                                                                            \
    FP_OP(ID##_S, RD, fn##_s(S1, S2, fl))                                                          \
    FP_OP(ID##_D, RD, fn##_d(FS1, FS2, fl))
COMPARE(FEQ, sem_feq)
COMPARE(FLT, sem_flt)
COMPARE(FLE, sem_fle)

FP_OP(FCLASS_S, RD, sem_fclass_s(S1))
FP_OP(FCLASS_D, RD, sem_fclass_d(FS1))
FP_OP(FMV_X_W, RD, SX32(FS1))
FP_OP(FMV_X_D, RD, FS1)
FP_OP(FMV_W_X, FD, fp_box(RS1))
FP_OP(FMV_D_X, FD, RS1)

#define TO_INT(ID, fn)                                                                             \
    FP_ROUND(ID##_S, RD, fn##_s(S1, rm, fl))                                                       \
    FP_ROUND(ID##_D, RD, fn##_d(FS1, rm, fl))
TO_INT(FCVT_W, sem_fcvt_w)
TO_INT(FCVT_WU, sem_fcvt_wu)
TO_INT(FCVT_L, sem_fcvt_l)
TO_INT(FCVT_LU, sem_fcvt_lu)

#define FROM_INT(ID, fn)                                                                           \
    FP_ROUND(FCVT_S_##ID, FD, fp_box(sem_fcvt_s_##fn(RS1, rm, fl)))                                \
    FP_ROUND(FCVT_D_##ID, FD, sem_fcvt_d_##fn(RS1, rm, fl))
FROM_INT(W, w)
FROM_INT(WU, wu)
FROM_INT(L, l)
FROM_INT(LU, lu)

FP_ROUND(FCVT_S_D, FD, fp_box(sem_fcvt_s_d(FS1, rm, fl)))
FP_ROUND(FCVT_D_S, FD, sem_fcvt_d_s(S1, rm, fl))
