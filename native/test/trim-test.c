/*
 * What hob_trim() leaves to malloc(3). Without the sanitizers, which have a malloc(3) of their own; prints how many of the pieces
 * that were free before it are given out after it.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "hob.h"

#define PIECES ((size_t) 3000)
#define PIECE_BYTES ((size_t) 200)

static void *pieces[PIECES], *taken[PIECES];

static void take(void **ret_pieces) {
        for (size_t i = 0; i < PIECES; i++)
                ret_pieces[i] = malloc(PIECE_BYTES);
}

/* Every other piece is freed, and its address kept for comparison. */
static bool was_free(const void *piece, const uintptr_t *gaps) {
        for (size_t i = 0; i < PIECES / 2; i++)
                if ((uintptr_t) piece == gaps[i])
                        return true;
        return false;
}

int main(void) {
        static uintptr_t gaps[PIECES / 2];
        size_t reused = 0;

        take(pieces);
        for (size_t i = 0; i < PIECES / 2; i++) {
                gaps[i] = (uintptr_t) pieces[2 * i];
                free(pieces[2 * i]);
        }
        hob_trim();
        take(taken);
        for (size_t i = 0; i < PIECES; i++)
                reused += was_free(taken[i], gaps);
        printf("%zu\n", reused);
        return 0;
}
