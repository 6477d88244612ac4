// NEXT is how far ahead of what is at hand bfloat16 numbers are brought to the cache: the tile that
// comes after this one.
#define NEXT 2048
