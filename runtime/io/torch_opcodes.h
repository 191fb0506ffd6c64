/* SPDX-License-Identifier: Apache-2.0 */
/* The opcodes of Python's pickles, protocols 0 to 5 (Lib/pickletools.py). */
#ifndef HEEDI_IO_TORCH_OPCODES_H
#define HEEDI_IO_TORCH_OPCODES_H

/* Ends the program. */
enum { HEEDI_PICKLE_STOP = '.' };

/* Opcodes that are run: X(byte, name, handler, its argument). */
#define HEEDI_PICKLE_OPCODES(X)                                                                    \
    X(0x80, PROTO, op_proto, 0)                                                                    \
    X(0x95, FRAME, op_skip, 8)                                                                     \
    X('(', MARK, op_mark, 0)                                                                       \
    X('N', NONE, op_none, 0)                                                                       \
    X(0x88, NEWTRUE, op_bool, 1)                                                                   \
    X(0x89, NEWFALSE, op_bool, 0)                                                                  \
    X('K', BININT1, op_unsigned, 1)                                                                \
    X('M', BININT2, op_unsigned, 2)                                                                \
    X('J', BININT, op_signed, 4)                                                                   \
    X(0x8a, LONG1, op_long, 1)                                                                     \
    X('X', BINUNICODE, op_string, 4)                                                               \
    X(0x8c, SHORT_BINUNICODE, op_string, 1)                                                        \
    X('}', EMPTY_DICT, op_empty, HEEDI_KIND_DICT)                                                  \
    X(']', EMPTY_LIST, op_empty, HEEDI_KIND_LIST)                                                  \
    X(')', EMPTY_TUPLE, op_empty, HEEDI_KIND_TUPLE)                                                \
    X('t', TUPLE, op_tuple, 0)                                                                     \
    X(0x85, TUPLE1, op_tuple_of, 1)                                                                \
    X(0x86, TUPLE2, op_tuple_of, 2)                                                                \
    X(0x87, TUPLE3, op_tuple_of, 3)                                                                \
    X('a', APPEND, op_add_one, HEEDI_KIND_LIST)                                                    \
    X('e', APPENDS, op_add_marked, HEEDI_KIND_LIST)                                                \
    X('s', SETITEM, op_add_one, HEEDI_KIND_DICT)                                                   \
    X('u', SETITEMS, op_add_marked, HEEDI_KIND_DICT)                                               \
    X('q', BINPUT, op_put, 1)                                                                      \
    X('r', LONG_BINPUT, op_put, 4)                                                                 \
    X(0x94, MEMOIZE, op_memoize, 0)                                                                \
    X('h', BINGET, op_get, 1)                                                                      \
    X('j', LONG_BINGET, op_get, 4)                                                                 \
    X('c', GLOBAL, op_global, 0)                                                                   \
    X(0x93, STACK_GLOBAL, op_stack_global, 0)                                                      \
    X('Q', BINPERSID, op_persistent, 0)                                                            \
    X('R', REDUCE, op_reduce, 0)                                                                   \
    X('b', BUILD, op_build, 0)

/* The others, which are refused by name: X(byte, name). */
#define HEEDI_PICKLE_REFUSED_OPCODES(X)                                                            \
    X('0', POP)                                                                                    \
    X('1', POP_MARK)                                                                               \
    X('2', DUP)                                                                                    \
    X('F', FLOAT)                                                                                  \
    X('G', BINFLOAT)                                                                               \
    X('I', INT)                                                                                    \
    X('L', LONG)                                                                                   \
    X(0x8b, LONG4)                                                                                 \
    X('P', PERSID)                                                                                 \
    X('S', STRING)                                                                                 \
    X('T', BINSTRING)                                                                              \
    X('U', SHORT_BINSTRING)                                                                        \
    X('V', UNICODE)                                                                                \
    X(0x8d, BINUNICODE8)                                                                           \
    X('B', BINBYTES)                                                                               \
    X('C', SHORT_BINBYTES)                                                                         \
    X(0x8e, BINBYTES8)                                                                             \
    X(0x96, BYTEARRAY8)                                                                            \
    X(0x97, NEXT_BUFFER)                                                                           \
    X(0x98, READONLY_BUFFER)                                                                       \
    X('d', DICT)                                                                                   \
    X('l', LIST)                                                                                   \
    X(0x8f, EMPTY_SET)                                                                             \
    X(0x90, ADDITEMS)                                                                              \
    X(0x91, FROZENSET)                                                                             \
    X('g', GET)                                                                                    \
    X('p', PUT)                                                                                    \
    X('i', INST)                                                                                   \
    X('o', OBJ)                                                                                    \
    X(0x81, NEWOBJ)                                                                                \
    X(0x92, NEWOBJ_EX)                                                                             \
    X(0x82, EXT1)                                                                                  \
    X(0x83, EXT2)                                                                                  \
    X(0x84, EXT4)

#endif
