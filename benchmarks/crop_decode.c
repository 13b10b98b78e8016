/* Rows of a JPEG by libjpeg-turbo, the others skipped: no inverse transform, no colours.
   Built and called by crop_decode.py. */
#include <setjmp.h>
#include <stdio.h>
#include <jpeglib.h>

struct handler { struct jpeg_error_mgr base; jmp_buf back; };

static void failed(j_common_ptr codec) { longjmp(((struct handler *)codec->err)->back, 1); }
static void silent(j_common_ptr codec) { (void)codec; }

/* bands: pairs of first row and row behind the last, rising. out: their rows, one behind another,
   `columns[1]` pixels each. columns: first column and how many; changed to what was decoded, which
   begins at a whole block. to_the_end: also read what stands behind the last band, as it takes to
   notice a damaged file. Returns warnings, or -1 after an error. */
int decode_rows(const unsigned char *data, unsigned long size, const int *bands, int count,
                int *columns, int to_the_end, unsigned char *out) {
    struct jpeg_decompress_struct codec;
    struct handler errors;
    codec.err = jpeg_std_error(&errors.base);
    errors.base.error_exit = failed;
    errors.base.output_message = silent;
    if (setjmp(errors.back)) {
        jpeg_destroy_decompress(&codec);
        return -1;
    }
    jpeg_create_decompress(&codec);
    jpeg_mem_src(&codec, data, size);
    jpeg_read_header(&codec, TRUE);
    codec.out_color_space = JCS_RGB;
    jpeg_start_decompress(&codec);
    JDIMENSION left = columns[0], width = columns[1];
    if (width < codec.output_width) jpeg_crop_scanline(&codec, &left, &width);
    columns[0] = left;
    columns[1] = width;
    for (int band = 0; band < count; band++) {
        JDIMENSION first = bands[2 * band], behind = bands[2 * band + 1];
        if (first > codec.output_scanline) jpeg_skip_scanlines(&codec, first - codec.output_scanline);
        while (codec.output_scanline < behind) {
            jpeg_read_scanlines(&codec, &out, 1);
            out += 3 * (size_t)width;
        }
    }
    if (to_the_end && codec.output_scanline < codec.output_height)
        jpeg_skip_scanlines(&codec, codec.output_height - codec.output_scanline);
    int warnings = (int)codec.err->num_warnings;
    jpeg_destroy_decompress(&codec);
    return warnings;
}
