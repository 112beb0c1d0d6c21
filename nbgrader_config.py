"""nbgrader's public configuration: where the labs' sources and student versions lie."""

c = get_config()  # noqa: F821  (nbgrader defines it)

c.CourseDirectory.course_id = "lrcourse"
c.CourseDirectory.source_directory = "solutions"
c.CourseDirectory.release_directory = "labs"
