// Package golden compares records with what an earlier build wrote, byte by byte, so that
// no change of the format passes unseen. Only tests import it.
//
// Each room that writes records has one file, testdata/records.golden, with a section for
// each [Record]: what it was made of, and its bytes in hexadecimal. [Check] demands that
// every kind of record has a section and that the bytes are those of the file. With -update
// the file is rewritten: sections may be added as they like, but bytes that have changed
// ask for a new version of the format (state.Format), since a directory of the old one
// would be misread.
package golden
