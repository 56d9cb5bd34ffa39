/* What a SQLSTATE means to those who have to decide whether to try again. Any thread. */
#include "db/db-priv.h"

/* By class (PostgreSQL, appendix A): connection, privileges, full disk, operator intervention, wrong schema … would
 * meet any row. Everything else is about this row's values. */
bool error_is_of_row(const char *sqlstate)
{
    static const char *const classes[] = {"08", "0A", "25", "26", "28", "3D", "3F", "40",
                                          "42", "53", "55", "57", "58", "F0", "XX"};

    for (size_t i = 0; i < COUNT_OF(classes); i++)
        if (strncmp(sqlstate, classes[i], 2) == 0)
            return false;
    return sqlstate[0] != '\0';
}
