"""nbgrader's public configuration: where the labs' sources and student versions lie."""

c = get_config()  # noqa: F821  (nbgrader defines it)

c.CourseDirectory.course_id = "lrcourse"
c.CourseDirectory.source_directory = "solutions"
c.CourseDirectory.release_directory = "labs"

# Labs 5 and 6 train networks in one cell: nbgrader's 30 seconds are too few on a busy machine.
c.Execute.timeout = 300
c.Execute.iopub_timeout = 60
