#include <ctype.h>
#include <stdbool.h>

#include "words.h"

long count_words(FILE *input) {
  long words = 0;
  bool inside = false;
  int c;
  while ((c = fgetc(input)) != EOF) {
    if (isspace(c)) {
      inside = false;
    } else if (!inside) {
      inside = true;
      words++;
    }
  }
  return words;
}
