#pragma once
#include <stdio.h>

long count_words(FILE *input);
