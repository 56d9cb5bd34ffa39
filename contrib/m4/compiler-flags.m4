dnl TANDEM_TRY_FLAGS(VARIABLE, FLAGS): appends to VARIABLE each flag that the C compiler accepts.
AC_DEFUN([TANDEM_TRY_FLAGS], [
  for tandem_flag in $2; do
    tandem_saved=$CFLAGS
    CFLAGS="$CFLAGS -Werror $tandem_flag"
    AC_MSG_CHECKING([whether $CC takes $tandem_flag])
    AC_COMPILE_IFELSE([AC_LANG_PROGRAM([], [])],
      [AC_MSG_RESULT([yes]); $1="$$1 $tandem_flag"],
      [AC_MSG_RESULT([no])])
    CFLAGS=$tandem_saved
  done])
